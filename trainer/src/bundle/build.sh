#!/bin/sh
# Builds the native library of this bundle for the machine it lies on, with the CUDA backend where nvcc is found, into
# build/lib, where ./velu looks first. Needs CMake, make or ninja, and a C++20 compiler.
#
#   build.sh [CMAKE-OPTION...]
#       -DVELU_CUDA_ARCHITECTURES=90    what the CUDA kernels are compiled for; without it the GPUs of this machine
#       -DVELU_BUILD_CPU=ON             build the CPU backend, too; without it the one that came along is taken
set -eu

home=$(cd "$(dirname "$0")" && pwd -P)
build=$home/build
lib=$home/lib/native

command -v cmake >/dev/null 2>&1 || {
    echo "build.sh: cmake is missing; install it, e.g. apt install cmake, or pip install cmake" >&2
    exit 1
}
if command -v ninja >/dev/null 2>&1; then
    set -- -G Ninja "$@"
fi

# oneDNN as the build of the CPU backend expects it, headers and libraries in one folder.
case " $* " in
    *VELU_BUILD_CPU=ON*)
        [ -f "$lib/libdnnl.so.3" ] || {
            echo "build.sh: this bundle was made without oneDNN, which the CPU backend needs" >&2
            exit 1
        }
        mkdir -p "$build/dnnl"
        for file in "$home/dnnl/include" "$lib/libdnnl.so.3" "$lib/libgomp.so.1"; do
            ln -sfn "$file" "$build/dnnl/$(basename "$file")"
        done
        set -- "-DVELU_DNNL_DIR=$build/dnnl" "$@"
        ;;
    *) set -- -DVELU_BUILD_CPU=OFF "$@" ;;
esac

# nvcc is often installed without being on the PATH.
if ! command -v nvcc >/dev/null 2>&1 && [ -x /usr/local/cuda/bin/nvcc ]; then
    PATH=$PATH:/usr/local/cuda/bin
    export PATH
fi
case " $* " in
    *VELU_CUDA_ARCHITECTURES*) ;;
    *)
        # 9.0 is 90-real: machine code for these GPUs only, which compiles fastest.
        found=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | sort -u |
            sed -n 's/^\([0-9]*\)\.\([0-9]\)$/\1\2-real/p' | paste -sd ';' -)
        [ -z "$found" ] || set -- "-DVELU_CUDA_ARCHITECTURES=$found" "$@"
        ;;
esac

cmake -S "$home" -B "$build/cmake" -DCMAKE_BUILD_TYPE=Release -DVELU_BUILD_TESTS=OFF "$@"
cmake --build "$build/cmake" --parallel "$(nproc)"

# Whole or not at all: ./velu takes build/lib as soon as it is there.
rm -rf "${build:?}/lib.new"
mkdir -p "$build/lib.new"
if [ -f "$lib/libvelu_cpu.so" ]; then
    cp "$lib/libvelu_cpu.so" "$lib/libdnnl.so.3" "$lib/libgomp.so.1" "$build/lib.new"
fi
cp -L "$build"/cmake/lib/lib*.so* "$build/lib.new"
rm -rf "${build:?}/lib"
mv "$build/lib.new" "$build/lib"
echo "built:"
ls -l "$build/lib"
