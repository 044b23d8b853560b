#!/bin/sh
# Builds peer.cc against libphonenumber with RE2, its fastest build: `re2.sh SOURCE PROGRAM`, SOURCE being Debian's unpacked source package
# (`apt-get source libphonenumber`). Needs libre2-dev, libabsl-dev, libprotobuf-dev, protobuf-compiler.
# 8.12.57 as released does not compile with RE2: a misplaced bracket and an unqualified name are mended in a copy.
set -eu
source=$1 program=$2 work=$2.work from=$1/cpp/src/phonenumbers
rm -rf "$work"
mkdir -p "$work/phonenumbers"
protoc --cpp_out="$work/phonenumbers" -I "$source/resources" "$source/resources/phonenumber.proto" "$source/resources/phonemetadata.proto"
sed -E 's/NULL, NULL\), NULL, NULL, NULL\)/NULL, NULL, NULL, NULL, NULL)/; s/(^|[^:A-Za-z])StringPiece([^A-Za-z])/\1re2::StringPiece\2/g' \
    "$from/regexp_adapter_re2.cc" >"$work/regexp_adapter_re2.cc"
files=
for name in phonenumberutil phonenumber phonenumbermatch regex_based_matcher regexp_cache stringutil unicodestring asyoutypeformatter logger \
    metadata base/strings/string_piece; do
    files="$files $from/$name.cc"
done
# shellcheck disable=SC2046,SC2086
g++ -O3 -march=native -std=c++17 -w -DI18N_PHONENUMBERS_USE_RE2 -DI18N_PHONENUMBERS_USE_STDMUTEX -I"$work" -I"$work/phonenumbers" -I"$source/cpp/src" \
    "$(dirname "$0")/peer.cc" "$work"/*.cc "$work"/phonenumbers/*.cc $files "$from"/utf/*.cc "$from"/utf/*.c -o "$program" \
    -lre2 -licuuc -lprotobuf -lpthread $(pkg-config --libs absl_node_hash_set absl_strings absl_synchronization)
