#!/bin/bash
# What every kernel of the CUDA backend takes of a multiprocessor, as the compiler reports it: a Markdown table on
# standard output with registers per thread, and bytes that were stored to and loaded from memory for want of registers,
# for each architecture.
#
#   native/cmake/cuda_resources.sh [architecture...]      default: 80 90 100
#
# NVCC names the compiler (default: nvcc), JOBS the files compiled at a time (default: 2). Exits with 1 if a file does not
# compile, and with 2 if a kernel spills registers, after printing the table.
set -euo pipefail

native=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
nvcc=${NVCC:-nvcc}
architectures=("$@")
if [ ${#architectures[@]} -eq 0 ]; then
    architectures=(80 90 100)
fi
command -v "$nvcc" >/dev/null || { echo "$0: $nvcc is not found; install the CUDA toolkit or set NVCC" >&2; exit 1; }
demangle=cat
for candidate in cu++filt c++filt; do
    if command -v "$candidate" >/dev/null; then
        demangle=$candidate
        break
    fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One compilation per file for all architectures; ptxas reports each kernel for each of them.
codes=()
for architecture in "${architectures[@]}"; do
    codes+=(-gencode "arch=compute_$architecture,code=sm_$architecture")
done
compile() {
    local source=$1 name
    name=$(basename "$source" .cu)
    "$nvcc" -std=c++20 -O3 --fmad=false "${codes[@]}" -Xptxas -v -DVELU_BUILDING -DVELU_VERSION='"0"' \
        -I "$native/src" -I "$native/include" -c "$source" -o "$work/$name.o" >"$work/$name.log" 2>&1 || {
        echo "$0: $source does not compile:" >&2
        grep -v "^ptxas info" "$work/$name.log" >&2 || true
        return 1
    }
    rm -f "$work/$name.o"
}

shopt -s nullglob
sources=("$native"/src/cuda/*.cu)
failed=0
running=0
for source in "${sources[@]}"; do
    if [ "$running" -ge "${JOBS:-2}" ]; then
        wait -n || failed=1
        running=$((running - 1))
    fi
    compile "$source" &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n || failed=1
    running=$((running - 1))
done
[ "$failed" -eq 0 ] || exit 1

# The report of one kernel is
#   ptxas info    : Compiling entry function '_Z...' for 'sm_90'
#   ptxas info    : Function properties for _Z...
#       0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
#   ptxas info    : Used 40 registers, used 1 barriers, 4096 bytes smem, 400 bytes cmem[0]
for source in "${sources[@]}"; do
    name=$(basename "$source" .cu)
    awk -v file="$name.cu" '
        /Compiling entry function/ {
            split($0, part, "\047")
            kernel = part[2]
            architecture = part[4]
            sub(/^sm_/, "", architecture)
            stores = loads = stack = 0
        }
        /bytes spill stores/ {
            for (i = 1; i < NF; ++i) {
                if ($(i + 1) == "bytes" && $(i + 2) == "stack") stack = $i
                if ($(i + 1) == "bytes" && $(i + 2) == "spill" && $(i + 3) ~ /^stores/) stores = $i
                if ($(i + 1) == "bytes" && $(i + 2) == "spill" && $(i + 3) ~ /^loads/) loads = $i
            }
        }
        /Used [0-9]+ registers/ && kernel != "" {
            registers = shared = 0
            for (i = 1; i < NF; ++i) {
                if ($i == "Used") registers = $(i + 1)
                if ($(i + 1) == "bytes" && $(i + 2) ~ /^smem/) shared = $i
            }
            print file "\t" kernel "\t" architecture "\t" registers "\t" stores + loads "\t" stack "\t" shared
            kernel = ""
        }' "$work/$name.log"
done >"$work/table"

cut -f2 "$work/table" | $demangle |
    sed -E 's/\(anonymous namespace\):://g; s/^void //; s/velu::cuda:://g; s/\((int|bool|long|unsigned int)\)//g; s/\(.*$//; s/\|/\\|/g' \
        >"$work/names"
printf '| file | kernel | shared bytes |'
printf ' sm_%s |' "${architectures[@]}"
printf '\n|---|---|--:|'
printf -- '--:|%.0s' "${architectures[@]}"
echo
paste "$work/table" "$work/names" | sort -t "$(printf '\t')" -k1,1 -k8,8 -s |
    awk -F '\t' -v list="${architectures[*]}" '
        function row(   i) {
            if (kernel == "") return
            printf "| %s | `%s` | %s |", file, kernel, shared
            for (i = 1; i <= count; ++i) printf " %s |", cell[architecture[i]]
            print ""
        }
        BEGIN { count = split(list, architecture, " ") }
        $1 != file || $8 != kernel { row(); file = $1; kernel = $8; delete cell }
        { shared = $7; cell[$3] = $4 ($5 > 0 ? " (" $5 " B spilled)" : "") }
        END { row() }'

spilling=$(awk -F '\t' '$5 > 0' "$work/table" | wc -l)
echo
echo "$(wc -l <"$work/table") compiled kernels, $spilling of them spill ($("$nvcc" --version | sed -n 's/.*release \([^,]*\).*/nvcc \1/p'))."
[ "$spilling" -eq 0 ] || exit 2
