#!/bin/sh
# Regenerates the bindings from native/include/velu/velu.h with `jextract` (22) on the PATH, then the checksums.
# Run it after every change of velu.h and commit what it writes; `mvn verify` fails while they disagree.
set -eu
cd "$(dirname "$0")"
command -v jextract >/dev/null || { echo "generate.sh: jextract (22) is not on the PATH" >&2; exit 1; }
rm -rf src/generated/java
jextract --output src/generated/java --target-package dev.velu.bindings --header-class-name VeluNative \
    --include-dir ../native/include @includes.txt ../native/include/velu/velu.h
./checksums.sh write
