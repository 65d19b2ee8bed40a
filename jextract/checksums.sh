#!/bin/sh
# checksums.sh write|verify: SHA-256 of the header, the include list and every generated file.
set -eu
cd "$(dirname "$0")"
sums() { { echo ../native/include/velu/velu.h; echo includes.txt; find src/generated/java -name '*.java'; } | LC_ALL=C sort | xargs sha256sum; }
case "${1:-}" in
write) sums >checksums.sha256 ;;
verify)
    sums | cmp -s - checksums.sha256 || {
        echo "jextract: velu.h, includes.txt or the generated bindings changed without the others: run jextract/generate.sh" >&2
        exit 1
    } ;;
*) echo "usage: checksums.sh write|verify" >&2; exit 2 ;;
esac
