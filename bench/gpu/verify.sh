#!/usr/bin/env bash
# Proves and measures the CUDA backend on a machine with a GPU, from an unpacked bundle: builds, checks every operation,
# looks for memory errors and races, measures every operation, trains, and compares a training step with PyTorch's. Takes
# about eight minutes on an H200.
#
#   bench/gpu/verify.sh [RESULTS]     a folder for everything that is printed and measured (default: verify-results)
#
# Needs nvcc, CMake and a C++20 compiler; cuDNN and cuBLAS, e.g. those of Python's nvidia-* packages; for the comparison a
# python3 with torch. Every step's command is printed. A step that fails does not stop the others; the exit status is then 1.
#
#   VELU_VERIFY_DEVICE    cuda (default), cuda:INDEX, or cpu to try the script itself without a GPU
#   VELU_VERIFY_PYTHON    the python3 to use
set -uo pipefail

home=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
device=${VELU_VERIFY_DEVICE:-cuda}
python=${VELU_VERIFY_PYTHON:-python3}
mkdir -p "${1:-verify-results}" || exit 1
results=$(cd "${1:-verify-results}" && pwd -P)
log=$results/verify.log
: >"$log"

# Sizes: those of the targets on a GPU, tiny ones where only the script is tried.
if [[ $device == cpu ]]; then
    size=32 batch=8 steps=2 warmup=1 precisions=(fp32) train_limit=64
else
    size=224 batch=256 steps=30 warmup=8 precisions=(bf16 fp32) train_limit=
fi

names=() outcomes=() seconds=() remarks=()
failed=0

say() { printf '%s\n' "$*" | tee -a "$log"; }

# remark TEXT: what the table says of the step that ran last.
remark() { remarks[${#remarks[@]} - 1]=$*; }

record() { # NAME OUTCOME SECONDS REMARK
    names+=("$1") outcomes+=("$2") seconds+=("$3") remarks+=("$4")
    [[ $2 == FAILED ]] && failed=1
    return 0
}

# step NAME LIMIT FILE COMMAND...: runs a command for at most LIMIT seconds, its output in FILE and on the screen's log.
step() {
    local name=$1 limit=$2 file=$results/$3 begin=$SECONDS status
    shift 3
    say ""
    say "== $name"
    say "+ $*"
    timeout --kill-after=10 "$limit" "$@" >"$file" 2>"$file.err"
    status=$?
    cat "$file.err" >>"$log"
    tail -n 3 "$file" | cut -c1-200 | tee -a "$log"
    if ((status == 0)); then
        record "$name" ok $((SECONDS - begin)) ""
    else
        tail -n 5 "$file.err" | cut -c1-300 | tee -a "$log"
        local why="exit status $status"
        ((status != 124 && status != 137)) || why="stopped after $limit s"
        record "$name" FAILED $((SECONDS - begin)) "$why; see $(basename "$file").err"
    fi
    [[ -s $file.err ]] || rm -f "$file.err"
    return "$status"
}

skip() { # NAME REASON
    say ""
    say "== $1: not run: $2"
    record "$1" 'not run' 0 "$2"
}

# rate FILE: images per second, for a remark.
rate() { printf '%.1f images/s' "$(field "$1" images_per_second)"; }

# The value of a field on a line of its own in indented JSON: field FILE NAME.
field() { sed -n 's/^ *"'"$2"'" *: *"\{0,1\}\([^",]*\)"\{0,1\},\{0,1\} *$/\1/p' "$1" | head -n 1; }

# ---- Where the libraries are -----------------------------------------------------------------------------------------

command -v "$python" >/dev/null 2>&1 || python=
if [[ -n $python && -z ${VELU_CUDA_PATH:-} ]]; then
    VELU_CUDA_PATH=$("$python" - <<'PYTHON' 2>/dev/null
import importlib.util, os
found = []
spec = importlib.util.find_spec("nvidia")
for root in spec.submodule_search_locations if spec else []:
    for folder, _, files in sorted(os.walk(root)):
        if any(name.startswith(("libcudnn_graph.so", "libcublasLt.so")) for name in files):
            found.append(folder)
print(":".join(found))
PYTHON
    )
    [[ -z $VELU_CUDA_PATH ]] || export VELU_CUDA_PATH
fi
say "results in $results; $(date -u '+%Y-%m-%d %H:%M UTC')"
say "VELU_CUDA_PATH=${VELU_CUDA_PATH:-}"
if command -v nvidia-smi >/dev/null 2>&1; then
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm,clocks.mem --format=csv 2>&1 |
        tee "$results/nvidia-smi.csv" | tee -a "$log"
fi

# ---- Build, look, check ----------------------------------------------------------------------------------------------

step build 420 build.txt "$home/build.sh"
step info 60 info.txt "$home/velu" info && cat "$results/info.txt" >>"$log"
if step selftest 240 selftest.txt "$home/velu" selftest --device "$device"; then
    remark "$(tail -n 1 "$results/selftest.txt" | cut -c1-70)"
fi
grep '^not run' "$results/selftest.txt" | tee -a "$log"

# The quick self test under compute-sanitizer: the same process, bindings and memory as in real use, guards around every
# tensor, every operation in both precisions; the JVM itself makes no CUDA calls. racecheck looks at our kernels only, where
# it can be told so: those of cuDNN and cuBLAS take it minutes and are not ours to mend.
if [[ $device == cpu ]]; then
    skip memcheck 'the CPU has no CUDA kernels'
    skip racecheck 'the CPU has no CUDA kernels'
elif ! sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null); then
    skip memcheck 'compute-sanitizer is not installed'
    skip racecheck 'compute-sanitizer is not installed'
else
    for tool in memcheck racecheck; do
        kernels=()
        if [[ $tool == racecheck ]] && "$sanitizer" --help 2>&1 | grep -q -- --kernel-regex; then
            kernels=(--kernel-regex kns=velu)
        fi
        if step $tool 150 $tool.txt "$sanitizer" --tool $tool --target-processes all --error-exitcode 9 "${kernels[@]}" \
            "$home/velu" selftest --device "$device" --quick; then
            remark "$(grep -h 'SUMMARY' "$results/$tool.txt" | tail -n 1 | tr -d '=' | cut -c1-70)"
        fi
    done
fi

# ---- Measure ---------------------------------------------------------------------------------------------------------

if step perf 180 perf.txt "$home/velu" selftest --device "$device" --perf; then
    remark "$(head -n 1 "$results/perf.txt" | sed 's/.*measured now: //' | cut -c1-80)"
fi

for precision in "${precisions[@]}"; do
    if step "train $precision" 120 "train-$precision.txt" "$home/velu" train --device "$device" --model resnet50 \
        --activation velu --data shapes --epochs 2 --precision "$precision" ${train_limit:+--limit-train $train_limit} \
        ${train_limit:+--limit-eval $train_limit} --output "$results/run-$precision"; then
        remark "$(tail -n 1 "$results/run-$precision/metrics.jsonl" |
            sed 's/.*"eval_top1" *: *\([0-9.]*\).*/eval top-1 \1/' | cut -c1-60)"
    fi
done

# ---- The step, beside PyTorch's --------------------------------------------------------------------------------------

ours() { # FILE PRECISION ACTIVATION [OPTION...]
    local file=$1 precision=$2 activation=$3
    shift 3
    step "velu $precision $activation${*:+ ${*#--}}" 120 "$file" "$home/velu" bench step --device "$device" \
        --model resnet50 --size $size --batch-size $batch --precision "$precision" --activation "$activation" \
        --steps $steps --warmup $warmup --json "$@" && remark "$(rate "$results/$file")"
}

theirs() { # FILE PRECISION ACTIVATION MODE [OPTION...]
    local file=$1 precision=$2 activation=$3 mode=$4
    shift 4
    step "pytorch $mode $precision $activation${*:+ ${*#--}}" 240 "$file" "$python" "$home/bench/peers/pytorch_step.py" \
        --device "$device" --size $size --batch-size $batch --precision "$precision" --activation "$activation" \
        --mode "$mode" --steps $steps --warmup $warmup --json "$@" &&
        remark "$(rate "$results/$file")"
}

peers=true
if [[ -z $python ]] || ! "$python" -c 'import torch' 2>/dev/null; then
    peers=false
    skip pytorch "no python3 with torch (VELU_VERIFY_PYTHON names one)"
fi
# Interleaved, ours first and last, so that a card that grows warm shows.
for precision in "${precisions[@]}"; do
    tf32=()
    [[ $precision == bf16 || $device == cpu ]] || tf32=(--tf32)
    ours "step-1-velu-$precision-velu.json" "$precision" velu "${tf32[@]}"
    $peers && theirs "step-2-eager-$precision-velu.json" "$precision" velu eager "${tf32[@]}"
    $peers && [[ $device != cpu ]] && theirs "step-3-compile-$precision-velu.json" "$precision" velu compile "${tf32[@]}"
    ours "step-4-velu-$precision-relu.json" "$precision" relu "${tf32[@]}"
    if [[ $precision == bf16 ]]; then
        $peers && theirs "step-5-compile-$precision-relu.json" "$precision" relu compile
        ours "step-6-velu-$precision-velu-again.json" "$precision" velu
    fi
done

# ---- The table -------------------------------------------------------------------------------------------------------

{
    echo
    echo "Training step, ResNet-50, $size px, batch $batch, SGD with momentum; median of $steps steps"
    printf '%-28s %-6s %-11s %10s %8s %10s %11s\n' implementation data activation 'ms' 'spread' 'images/s' 'memory GiB'
    for file in "$results"/step-*.json; do
        [[ -s $file ]] || continue
        memory=$(field "$file" memory_bytes)
        [[ $memory =~ ^[0-9]+$ ]] && memory=$(awk "BEGIN { printf \"%.2f\", $memory / 1073741824 }") || memory=-
        printf '%-28s %-6s %-11s %10.2f %7.1f%% %10.1f %11s\n' "$(field "$file" implementation)" \
            "$(field "$file" precision)" "$(field "$file" activation)" "$(field "$file" median_milliseconds)" \
            "$(awk "BEGIN { print 100 * $(field "$file" spread) }")" "$(field "$file" images_per_second)" "$memory"
    done
    echo
    printf '%-28s %-8s %6s  %s\n' step outcome seconds remark
    for i in "${!names[@]}"; do
        printf '%-28s %-8s %6s  %s\n' "${names[i]}" "${outcomes[i]}" "${seconds[i]}" "${remarks[i]}"
    done
    echo
    if ((failed)); then echo "some steps FAILED"; else echo "all steps that ran passed"; fi
} | tee "$results/table.txt" | tee -a "$log"
exit $failed
