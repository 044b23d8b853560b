"""Countries of the seeded world: the ranges its numbers are drawn from, its cities, names and carriers.

A range is a list of national prefixes, each followed by the same number of free digits. Every number of every range is valid for `phonenumbers`
(a test samples them). Prefixes follow the national numbering plans as libphonenumber's metadata states them.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Range:
    """Numbers of one kind in one country: `prefixes` x 10**`free`. `kind` is "mobile", "fixed" or "both" (North America, Mexico)."""

    country: str
    kind: str
    prefixes: tuple[str, ...]
    free: int

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return len(self.prefixes) * int(10**self.free)


@dataclass(frozen=True)
class Place:
    """A city with the fields an address shows."""

    city: str
    state: str
    state_code: str
    postcode: str
    timezone: str


@dataclass(frozen=True)
class Country:
    """A country of the world. `weight` is its share of companies; `prepaid` its share of mobiles that lapse without credit."""

    code: str
    name: str
    calling_code: str
    trunk: str
    weight: int
    mobile: Range
    fixed: Range
    places: tuple[Place, ...]
    given: tuple[str, ...]
    family: tuple[str, ...]
    carriers: tuple[tuple[str, str, str], ...]  # (name, mcc, mnc)
    prepaid: float
    registry: str | None = None
    native: tuple[tuple[str, str], ...] = ()
    area_places: dict[str, Place] = field(default_factory=dict)


def _spread(stems: str, digits: str) -> tuple[str, ...]:
    return tuple(stem + digit for stem in stems.split() for digit in digits)


def _places(text: str) -> tuple[Place, ...]:
    return tuple(Place(*(part.strip() for part in line.split("|"))) for line in text.strip().splitlines())


_NANP_US = {
    "212": Place("New York", "New York", "NY", "10016", "America/New_York"),
    "718": Place("Brooklyn", "New York", "NY", "11201", "America/New_York"),
    "617": Place("Boston", "Massachusetts", "MA", "02108", "America/New_York"),
    "215": Place("Philadelphia", "Pennsylvania", "PA", "19103", "America/New_York"),
    "404": Place("Atlanta", "Georgia", "GA", "30303", "America/New_York"),
    "305": Place("Miami", "Florida", "FL", "33130", "America/New_York"),
    "407": Place("Orlando", "Florida", "FL", "32801", "America/New_York"),
    "312": Place("Chicago", "Illinois", "IL", "60601", "America/Chicago"),
    "214": Place("Dallas", "Texas", "TX", "75201", "America/Chicago"),
    "713": Place("Houston", "Texas", "TX", "77002", "America/Chicago"),
    "512": Place("Austin", "Texas", "TX", "78701", "America/Chicago"),
    "405": Place("Oklahoma City", "Oklahoma", "OK", "73102", "America/Chicago"),
    "303": Place("Denver", "Colorado", "CO", "80202", "America/Denver"),
    "602": Place("Phoenix", "Arizona", "AZ", "85004", "America/Phoenix"),
    "415": Place("San Francisco", "California", "CA", "94103", "America/Los_Angeles"),
    "213": Place("Los Angeles", "California", "CA", "90012", "America/Los_Angeles"),
    "619": Place("San Diego", "California", "CA", "92101", "America/Los_Angeles"),
    "206": Place("Seattle", "Washington", "WA", "98101", "America/Los_Angeles"),
}
_NANP_CA = {
    "416": Place("Toronto", "Ontario", "ON", "M5V 2T6", "America/Toronto"),
    "613": Place("Ottawa", "Ontario", "ON", "K1P 5M7", "America/Toronto"),
    "514": Place("Montreal", "Quebec", "QC", "H2Y 1C6", "America/Toronto"),
    "604": Place("Vancouver", "British Columbia", "BC", "V6B 1A1", "America/Vancouver"),
    "403": Place("Calgary", "Alberta", "AB", "T2P 1J9", "America/Edmonton"),
}

_EN_GIVEN = (
    "James",
    "Mary",
    "Robert",
    "Patricia",
    "John",
    "Jennifer",
    "Michael",
    "Linda",
    "David",
    "Elizabeth",
    "William",
    "Susan",
    "Daniel",
    "Jessica",
    "Thomas",
    "Sarah",
    "Kevin",
    "Karen",
    "Brian",
    "Nancy",
    "Marcus",
    "Aisha",
    "Omar",
    "Grace",
)
_EN_FAMILY = (
    "Smith",
    "Johnson",
    "Williams",
    "Brown",
    "Jones",
    "Garcia",
    "Miller",
    "Davis",
    "Wilson",
    "Anderson",
    "Taylor",
    "Moore",
    "Jackson",
    "Martin",
    "Lee",
    "Thompson",
    "White",
    "Harris",
    "Clark",
    "Lewis",
    "Walker",
    "Hall",
    "Young",
    "King",
    "O'Neill",
    "MacDonald",
)


def _range(country: str, kind: str, prefixes: tuple[str, ...], free: int) -> Range:
    return Range(country, kind, prefixes, free)


_US = _range("US", "both", _spread(" ".join(_NANP_US), "23456789"), 6)
_CA = _range("CA", "both", _spread(" ".join(_NANP_CA), "23456789"), 6)
_MX = _range("MX", "both", _spread("55 56 33 81", "12345678"), 7)

COUNTRIES: tuple[Country, ...] = (
    Country(
        "US", "United States", "1", "", 38, _US, _US, tuple(_NANP_US.values()), _EN_GIVEN, _EN_FAMILY,
        (("Verizon Wireless", "311", "480"), ("AT&T Wireless", "310", "410"), ("T-Mobile USA", "310", "260"), ("Bandwidth", "", "")),
        0.02, "us_national", area_places=_NANP_US,
    ),
    Country(
        "CA", "Canada", "1", "", 6, _CA, _CA, tuple(_NANP_CA.values()), _EN_GIVEN, (*_EN_FAMILY, "Tremblay", "Gagnon", "Roy", "Côté", "Bouchard"),
        (("Rogers", "302", "720"), ("Bell Mobility", "302", "610"), ("Telus", "302", "220")), 0.02, "ca_national", area_places=_NANP_CA,
    ),
    Country(
        "GB", "United Kingdom", "44", "0", 12,
        _range("GB", "mobile", ("740", "741", "742", "743", "744", "771", "772", "773", "774", "775", "776", "777", "780", "781", "784", "785", "786", "787", "788", "789", "790", "792", "794", "795", "796", "797", "798"), 7),
        _range("GB", "fixed", (*_spread("207", "12345678"), *_spread("208", "234567"), "1212", "1213", "1312", "1412", "1612", "1613", "1132", "1142"), 6),
        _places("""London | England | | EC1A 1BB | Europe/London
            Manchester | England | | M1 1AE | Europe/London
            Birmingham | England | | B1 1BB | Europe/London
            Glasgow | Scotland | | G1 1XQ | Europe/London
            Leeds | England | | LS1 4AP | Europe/London"""),
        (*_EN_GIVEN, "Oliver", "Amelia", "Harry", "Freya", "Priya", "Mohammed"), (*_EN_FAMILY, "Hughes", "Patel", "Khan", "Evans", "Wright"),
        (("EE", "234", "30"), ("O2 UK", "234", "10"), ("Vodafone UK", "234", "15"), ("Three UK", "234", "20")), 0.04, "uk_tps",
    ),
    Country(
        "DE", "Germany", "49", "0", 8,
        _range("DE", "mobile", ("1511", "1512", "1514", "1515", "1516", "1517", "1520", "1522", "1525", "1573", "1575", "1577", "1578", "1590", "1761", "1762", "1763"), 7),
        _range("DE", "fixed", (*_spread("30 40 69 89", "2345679"),), 7),
        _places("""Berlin | Berlin | BE | 10115 | Europe/Berlin
            Hamburg | Hamburg | HH | 20095 | Europe/Berlin
            München | Bayern | BY | 80331 | Europe/Berlin
            Frankfurt am Main | Hessen | HE | 60311 | Europe/Berlin
            Köln | Nordrhein-Westfalen | NW | 50667 | Europe/Berlin"""),
        ("Lukas", "Anna", "Maximilian", "Sophie", "Jonas", "Marie", "Felix", "Lena", "Jürgen", "Brigitte", "Günther", "Käthe", "Stefan", "Claudia"),
        ("Müller", "Schmidt", "Schneider", "Fischer", "Weber", "Meyer", "Wagner", "Becker", "Schulz", "Hoffmann", "Schäfer", "Koch", "Bauer", "Groß", "Weiß"),
        (("Telekom Deutschland", "262", "01"), ("Vodafone DE", "262", "02"), ("O2 Germany", "262", "03")), 0.03,
    ),
    Country(
        "FR", "France", "33", "0", 6,
        _range("FR", "mobile", _spread("6", "01245678") + _spread("7", "345678"), 7),
        _range("FR", "fixed", ("14", "15", "22", "23", "24", "25", "32", "34", "38", "44", "46", "47", "55", "56"), 7),
        _places("""Paris | Île-de-France | IDF | 75002 | Europe/Paris
            Lyon | Auvergne-Rhône-Alpes | ARA | 69002 | Europe/Paris
            Marseille | Provence-Alpes-Côte d'Azur | PAC | 13001 | Europe/Paris
            Nantes | Pays de la Loire | PDL | 44000 | Europe/Paris"""),
        ("Camille", "Louis", "Léa", "Hugo", "Chloé", "Jules", "Inès", "Étienne", "Manon", "François", "Amélie", "Noël"),
        ("Martin", "Bernard", "Dubois", "Thomas", "Robert", "Petit", "Durand", "Leroy", "Moreau", "Lefèvre", "Girard", "Bénard"),
        (("Orange", "208", "01"), ("SFR", "208", "10"), ("Bouygues Telecom", "208", "20"), ("Free Mobile", "208", "15")), 0.03, "fr_bloctel",
    ),
    Country(
        "IT", "Italy", "39", "", 4,
        _range("IT", "mobile", ("320", "328", "329", "333", "338", "339", "340", "347", "348", "349", "366", "380", "388", "391"), 7),
        _range("IT", "fixed", (*_spread("02", "23456789"), "011", "051", "055", "081"), 7),
        _places("""Milano | Lombardia | MI | 20121 | Europe/Rome
            Torino | Piemonte | TO | 10121 | Europe/Rome
            Napoli | Campania | NA | 80133 | Europe/Rome
            Bologna | Emilia-Romagna | BO | 40121 | Europe/Rome"""),
        ("Francesco", "Giulia", "Alessandro", "Sofia", "Lorenzo", "Aurora", "Matteo", "Chiara", "Nicolò", "Francesca"),
        ("Rossi", "Russo", "Ferrari", "Esposito", "Bianchi", "Romano", "Colombo", "Ricci", "Marino", "Greco", "D'Angelo"),
        (("TIM", "222", "01"), ("Vodafone IT", "222", "10"), ("WindTre", "222", "88")), 0.06, "it_rpo",
    ),
    Country(
        "ES", "Spain", "34", "", 4,
        _range("ES", "mobile", _spread("6", "0123456789"), 7),
        _range("ES", "fixed", ("91", "93", "95"), 7),
        _places("""Madrid | Madrid | M | 28013 | Europe/Madrid
            Barcelona | Cataluña | B | 08002 | Europe/Madrid
            Sevilla | Andalucía | SE | 41001 | Europe/Madrid"""),
        ("Lucía", "Hugo", "Martina", "Mateo", "María", "Alejandro", "Paula", "José", "Carmen", "Íñigo"),
        ("García", "Rodríguez", "González", "Fernández", "López", "Martínez", "Sánchez", "Pérez", "Núñez", "Muñoz"),
        (("Movistar", "214", "07"), ("Orange ES", "214", "03"), ("Vodafone ES", "214", "01")), 0.05,
    ),
    Country(
        "CN", "China", "86", "0", 5,
        _range("CN", "mobile", (*_spread("13 18", "0123456789"), "150", "151", "152", "157", "158", "159", "176", "177"), 8),
        _range("CN", "fixed", _spread("10", "234567") + _spread("21", "234567") + _spread("20", "234578"), 7),
        _places("""Beijing | Beijing | 11 | 100020 | Asia/Shanghai
            Shanghai | Shanghai | 31 | 200040 | Asia/Shanghai
            Guangzhou | Guangdong | 44 | 510030 | Asia/Shanghai
            Shenzhen | Guangdong | 44 | 518000 | Asia/Shanghai"""),
        ("Wei", "Fang", "Na", "Min", "Jing", "Lei", "Qiang", "Yan", "Jie", "Xiuying", "Tao", "Ming"),
        ("Wang", "Li", "Zhang", "Liu", "Chen", "Yang", "Zhao", "Huang", "Zhou", "Wu", "Xu", "Sun"),
        (("China Mobile", "460", "00"), ("China Unicom", "460", "01"), ("China Telecom", "460", "11")), 0.12,
        native=(("伟", "王"), ("芳", "李"), ("娜", "张"), ("敏", "刘"), ("静", "陈"), ("磊", "杨"), ("强", "赵"), ("秀英", "黄")),
    ),
    Country(
        "IN", "India", "91", "0", 6,
        _range("IN", "mobile", ("98", "99"), 8),
        _range("IN", "fixed", _spread("11 22 33 44", "234567"), 7),
        _places("""Mumbai | Maharashtra | MH | 400001 | Asia/Kolkata
            New Delhi | Delhi | DL | 110001 | Asia/Kolkata
            Bengaluru | Karnataka | KA | 560001 | Asia/Kolkata
            Chennai | Tamil Nadu | TN | 600001 | Asia/Kolkata"""),
        ("Aarav", "Priya", "Vivaan", "Ananya", "Aditya", "Diya", "Arjun", "Kavya", "Rohan", "Meera", "Sanjay", "Lakshmi"),
        ("Sharma", "Verma", "Gupta", "Singh", "Kumar", "Patel", "Reddy", "Iyer", "Nair", "Das", "Mehta", "Rao"),
        (("Jio", "405", "857"), ("Airtel", "404", "10"), ("Vi", "404", "11"), ("BSNL", "404", "34")), 0.14, "in_trai",
    ),
    Country(
        "BD", "Bangladesh", "880", "0", 2,
        _range("BD", "mobile", _spread("1", "3456789"), 8),
        _range("BD", "fixed", _spread("22", "0123456789"), 7),
        _places("""Dhaka | Dhaka | 13 | 1205 | Asia/Dhaka
            Chattogram | Chattogram | 10 | 4000 | Asia/Dhaka
            Sylhet | Sylhet | 60 | 3100 | Asia/Dhaka"""),
        ("Rahim", "Fatema", "Karim", "Nasrin", "Jamal", "Shirin", "Tanvir", "Sultana", "Hasan", "Ayesha"),
        ("Hossain", "Rahman", "Islam", "Akter", "Khan", "Ahmed", "Begum", "Chowdhury", "Uddin", "Miah"),
        (("Grameenphone", "470", "01"), ("Robi", "470", "02"), ("Banglalink", "470", "03"), ("Teletalk", "470", "04")), 0.16,
        native=(("রহিম", "হোসেন"), ("ফাতেমা", "আক্তার"), ("করিম", "রহমান"), ("নাসরিন", "ইসলাম")),
    ),
    Country(
        "JP", "Japan", "81", "0", 3,
        _range("JP", "mobile", _spread("70 80 90", "123456789"), 7),
        _range("JP", "fixed", _spread("3 6", "23456789"), 7),
        _places("""Tokyo | Tokyo | 13 | 100-0001 | Asia/Tokyo
            Osaka | Osaka | 27 | 530-0001 | Asia/Tokyo
            Yokohama | Kanagawa | 14 | 220-0011 | Asia/Tokyo"""),
        ("Haruto", "Yui", "Sota", "Aoi", "Yuto", "Hina", "Ren", "Sakura", "Takeshi", "Keiko"),
        ("Sato", "Suzuki", "Takahashi", "Tanaka", "Watanabe", "Ito", "Yamamoto", "Nakamura", "Kobayashi", "Kato"),
        (("NTT Docomo", "440", "10"), ("KDDI", "440", "50"), ("SoftBank", "440", "20")), 0.01,
        native=(("陽翔", "佐藤"), ("結衣", "鈴木"), ("颯太", "高橋"), ("葵", "田中"), ("健", "渡辺"), ("恵子", "伊藤")),
    ),
    Country(
        "AU", "Australia", "61", "0", 3,
        _range("AU", "mobile", ("40", "41", "42", "43"), 7),
        _range("AU", "fixed", ("28", "29", "38", "39", "73"), 7),
        _places("""Sydney | New South Wales | NSW | 2000 | Australia/Sydney
            Melbourne | Victoria | VIC | 3000 | Australia/Melbourne
            Brisbane | Queensland | QLD | 4000 | Australia/Brisbane
            Perth | Western Australia | WA | 6000 | Australia/Perth"""),
        _EN_GIVEN, _EN_FAMILY, (("Telstra", "505", "01"), ("Optus", "505", "02"), ("Vodafone AU", "505", "03")), 0.03, "au_dncr",
    ),
    Country(
        "BR", "Brazil", "55", "0", 2,
        _range("BR", "mobile", ("119", "219", "319", "419", "519", "619", "719", "819"), 8),
        _range("BR", "fixed", _spread("11 21 31 41 51", "23"), 7),
        _places("""São Paulo | São Paulo | SP | 01310-100 | America/Sao_Paulo
            Rio de Janeiro | Rio de Janeiro | RJ | 20040-002 | America/Sao_Paulo
            Belo Horizonte | Minas Gerais | MG | 30130-000 | America/Sao_Paulo"""),
        ("Miguel", "Alice", "Arthur", "Helena", "Gael", "Laura", "João", "Beatriz", "Antônio", "Márcia"),
        ("Silva", "Santos", "Oliveira", "Souza", "Rodrigues", "Ferreira", "Alves", "Pereira", "Gonçalves", "Araújo"),
        (("Vivo", "724", "06"), ("Claro BR", "724", "05"), ("TIM Brasil", "724", "02")), 0.1,
    ),
    Country(
        "MX", "Mexico", "52", "", 1, _MX, _MX,
        _places("""Ciudad de México | Ciudad de México | CMX | 06000 | America/Mexico_City
            Guadalajara | Jalisco | JAL | 44100 | America/Mexico_City
            Monterrey | Nuevo León | NLE | 64000 | America/Monterrey"""),
        ("Santiago", "Sofía", "Mateo", "Valentina", "Sebastián", "Regina", "Jesús", "Guadalupe"),
        ("Hernández", "García", "Martínez", "López", "González", "Pérez", "Ramírez", "Cruz", "Ibáñez"),
        (("Telcel", "334", "020"), ("AT&T México", "334", "050"), ("Movistar MX", "334", "030")), 0.12, "mx_repep",
    ),
)  # fmt: skip

BY_CODE = {country.code: country for country in COUNTRIES}

JOBS = (
    "Head of Procurement", "Sales Manager", "Plant Manager", "IT Director", "Office Manager", "CFO", "Marketing Lead", "Owner",
    "Operations Manager", "Buyer", "HR Manager", "Engineer", "Managing Director", "Facilities Manager", "Dispatcher", "Consultant",
)  # fmt: skip
COMPANY_FIRST = (
    "Northwind", "Blue Harbor", "Oakfield", "Silverline", "Brightwater", "Red Kite", "Granite", "Lantern", "Copperleaf", "Juniper",
    "Summit", "Fernhill", "Ironbridge", "Meadowbrook", "Polar", "Quarry", "Riverside", "Stonegate", "Tideway", "Westmark",
)  # fmt: skip
COMPANY_SECOND = (
    "Logistics", "Dental Care", "Foods", "Textiles", "Robotics", "Insurance", "Printing", "Software", "Packaging", "Energy",
    "Clinics", "Motors", "Furniture", "Legal", "Travel", "Chemicals",
)  # fmt: skip
