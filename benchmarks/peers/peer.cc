// Times libphonenumber: `peer FILE` prints rows per second of processor time and a count of valid numbers.
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iterator>
#include <phonenumbers/phonenumberutil.h>
#include <string>
#include <utility>
#include <vector>

int main(int, char **argv)
{
    using i18n::phonenumbers::PhoneNumber;
    using i18n::phonenumbers::PhoneNumberUtil;
    std::ifstream file(argv[1], std::ios::binary);
    const std::string data((std::istreambuf_iterator<char>(file)), {});
    std::vector<std::pair<std::string, std::string>> rows;
    for (size_t at = 0; at < data.size();) {
        const size_t middle = data.find('\0', at), end = data.find('\0', middle + 1);
        std::string region = data.substr(middle + 1, end - middle - 1);
        rows.emplace_back(data.substr(at, middle - at), region.empty() ? "ZZ" : region);
        at = end + 1;
    }
    PhoneNumberUtil &lib = *PhoneNumberUtil::GetInstance();
    size_t valid = 0;
    std::string e164, region;
    const std::clock_t started = std::clock();
    for (const auto &row : rows) {
        PhoneNumber number;
        if (lib.Parse(row.first, row.second, &number) != PhoneNumberUtil::NO_PARSING_ERROR)
            continue;
        lib.Format(number, PhoneNumberUtil::E164, &e164);
        lib.IsPossibleNumberWithReason(number);
        valid += lib.IsValidNumber(number);
        lib.GetNumberType(number);
        lib.GetRegionCodeForNumber(number, &region);
    }
    const double seconds = double(std::clock() - started) / CLOCKS_PER_SEC;
    std::printf("%.0f %zu\n", rows.size() / seconds, valid);
}
