// Host emulation of the CUDA runtime and of CUDA C++, for tests: a .cu file compiled as C++ with this header in place
// of NVIDIA's, and linked with emulator.cpp, runs on the processor.
//
// Blocks run one after another; the threads of a block are fibers that give way to each other only where they wait for
// one another, so a kernel without shuffles and barriers costs little more than its loop. What CUDA leaves undefined is
// caught where it can be: lanes that do not reach a shuffle or barrier together, and host code that follows a device
// pointer, end the process with a message. The environment chooses
//
//   VELU_EMULATOR_ORDER            forward (default), reverse or shuffled: the order of blocks and threads. Results
//   must
//                                  not depend on it; where they do, a barrier is missing.
//   VELU_EMULATOR_STREAMS          immediate (default): work is done at the call; deferred: only when the host or
//   another
//                                  stream waits for it, so that a missing wait reads old data.
//   VELU_EMULATOR_MEMORY           bytes of device memory, 8 GiB by default
//   VELU_EMULATOR_DEVICES          number of devices, 1 by default
//   VELU_EMULATOR_MULTIPROCESSORS  multiprocessors of a device, 2 by default
//
// Only what the CUDA backend uses is here, with the names, types and values of CUDA 13. No atomic addition of floats:
// its result depends on the order, which the backend's must not.
#pragma once

#include <math.h>
#include <string.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <source_location>
#include <tuple>
#include <type_traits>
#include <utility>

// ---------------------------------------------------------------------------------------------------------------------
// The language. Blocks run one at a time, so the memory they share can be static.

#define VELU_CUDA_EMULATOR 1

#define __global__
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __shared__ static
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(bytes) __attribute__((aligned(bytes)))

#define CUDART_VERSION 13000
#define CUDART_CB
#define CUDART_INF_F __builtin_inff()
#define CUDART_NAN_F __builtin_nanf("")

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

#define VELU_EMULATOR_VECTORS(Name, Element, align2, align4)                       \
    struct Name##1 {                                                               \
        Element x;                                                                 \
    };                                                                             \
    struct alignas(align2) Name##2 {                                               \
        Element x, y;                                                              \
    };                                                                             \
    struct Name##3 {                                                               \
        Element x, y, z;                                                           \
    };                                                                             \
    struct alignas(align4) Name##4 {                                               \
        Element x, y, z, w;                                                        \
    };                                                                             \
    constexpr Name##1 make_##Name##1(Element x) {                                  \
        return {x};                                                                \
    }                                                                              \
    constexpr Name##2 make_##Name##2(Element x, Element y) {                       \
        return {x, y};                                                             \
    }                                                                              \
    constexpr Name##3 make_##Name##3(Element x, Element y, Element z) {            \
        return {x, y, z};                                                          \
    }                                                                              \
    constexpr Name##4 make_##Name##4(Element x, Element y, Element z, Element w) { \
        return {x, y, z, w};                                                       \
    }

VELU_EMULATOR_VECTORS(char, signed char, 2, 4)
VELU_EMULATOR_VECTORS(uchar, unsigned char, 2, 4)
VELU_EMULATOR_VECTORS(short, short, 4, 8)
VELU_EMULATOR_VECTORS(ushort, unsigned short, 4, 8)
VELU_EMULATOR_VECTORS(int, int, 8, 16)
VELU_EMULATOR_VECTORS(uint, unsigned, 8, 16)
VELU_EMULATOR_VECTORS(longlong, long long, 16, 16)
VELU_EMULATOR_VECTORS(ulonglong, unsigned long long, 16, 16)
VELU_EMULATOR_VECTORS(float, float, 8, 16)
VELU_EMULATOR_VECTORS(double, double, 16, 16)
#undef VELU_EMULATOR_VECTORS

// ---------------------------------------------------------------------------------------------------------------------
// Where a thread is. One kernel runs at a time in the process; the emulator sets these whenever it goes on to another
// thread.

extern __attribute__((visibility("hidden"))) uint3 threadIdx;
extern __attribute__((visibility("hidden"))) uint3 blockIdx;
extern __attribute__((visibility("hidden"))) dim3 blockDim;
extern __attribute__((visibility("hidden"))) dim3 gridDim;
inline constexpr int warpSize = 32;

// ---------------------------------------------------------------------------------------------------------------------
// What lanes and threads do together. Every lane of the mask must call the same function with the same mask.

namespace emulator {

using Location = std::source_location;

enum class Collective : uint8_t {
    kNone,
    kBarrier,  // of the block
    kBarrierCount,
    kBarrierAnd,
    kBarrierOr,
    kWarpBarrier,
    kShuffle,
    kShuffleUp,
    kShuffleDown,
    kShuffleXor,
    kBallot,
    kAny,
    kAll,
    kReduceAdd,
    kReduceMinUnsigned,
    kReduceMaxUnsigned,
    kReduceMin,
    kReduceMax,
    kReduceAnd,
    kReduceOr,
    kReduceXor,
};

/// Waits until every lane of the mask has come, and gives this lane's result. operand is the shuffle's lane, distance
/// or mask; bytes the size of the value, which must agree too.
uint64_t warp_collective(Collective kind, unsigned mask, uint64_t value, int operand, int width, int bytes,
                         const Location& where);

/// Waits until every thread of the block has come, and gives the number whose predicate is not zero.
int block_collective(Collective kind, bool predicate, const Location& where);

/// Lanes of this thread's warp that have not returned. Real hardware may answer with fewer.
unsigned active_mask();

template <class T>
T shuffle(Collective kind, unsigned mask, T value, int operand, int width, const Location& where) {
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    bits = warp_collective(kind, mask, bits, operand, width, sizeof value, where);
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

}  // namespace emulator

inline void __syncthreads(const emulator::Location& where = emulator::Location::current()) {
    emulator::block_collective(emulator::Collective::kBarrier, false, where);
}
inline int __syncthreads_count(int predicate, const emulator::Location& where = emulator::Location::current()) {
    return emulator::block_collective(emulator::Collective::kBarrierCount, predicate != 0, where);
}
inline int __syncthreads_and(int predicate, const emulator::Location& where = emulator::Location::current()) {
    return emulator::block_collective(emulator::Collective::kBarrierAnd, predicate == 0, where) == 0;
}
inline int __syncthreads_or(int predicate, const emulator::Location& where = emulator::Location::current()) {
    return emulator::block_collective(emulator::Collective::kBarrierOr, predicate != 0, where) != 0;
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu, const emulator::Location& where = emulator::Location::current()) {
    emulator::warp_collective(emulator::Collective::kWarpBarrier, mask, 0, 0, 32, 0, where);
}
inline unsigned __activemask() {
    return emulator::active_mask();
}

#define VELU_EMULATOR_SHUFFLE(function, kind, Operand, T)                                                           \
    inline T function(unsigned mask, T value, Operand operand, int width = 32,                                      \
                      const emulator::Location& where = emulator::Location::current()) {                            \
        return emulator::shuffle(emulator::Collective::kind, mask, value, static_cast<int>(operand), width, where); \
    }
#define VELU_EMULATOR_SHUFFLES(T)                                      \
    VELU_EMULATOR_SHUFFLE(__shfl_sync, kShuffle, int, T)               \
    VELU_EMULATOR_SHUFFLE(__shfl_up_sync, kShuffleUp, unsigned, T)     \
    VELU_EMULATOR_SHUFFLE(__shfl_down_sync, kShuffleDown, unsigned, T) \
    VELU_EMULATOR_SHUFFLE(__shfl_xor_sync, kShuffleXor, int, T)
VELU_EMULATOR_SHUFFLES(int)
VELU_EMULATOR_SHUFFLES(unsigned)
VELU_EMULATOR_SHUFFLES(long)
VELU_EMULATOR_SHUFFLES(unsigned long)
VELU_EMULATOR_SHUFFLES(long long)
VELU_EMULATOR_SHUFFLES(unsigned long long)
VELU_EMULATOR_SHUFFLES(float)
VELU_EMULATOR_SHUFFLES(double)
#undef VELU_EMULATOR_SHUFFLES
#undef VELU_EMULATOR_SHUFFLE

#define VELU_EMULATOR_VOTE(function, kind, Result)                                                         \
    inline Result function(unsigned mask, int predicate,                                                   \
                           const emulator::Location& where = emulator::Location::current()) {              \
        return static_cast<Result>(                                                                        \
            emulator::warp_collective(emulator::Collective::kind, mask, predicate != 0, 0, 32, 0, where)); \
    }
VELU_EMULATOR_VOTE(__ballot_sync, kBallot, unsigned)
VELU_EMULATOR_VOTE(__any_sync, kAny, int)
VELU_EMULATOR_VOTE(__all_sync, kAll, int)
#undef VELU_EMULATOR_VOTE

#define VELU_EMULATOR_REDUCE(function, kind, T)                                                                  \
    inline T function(unsigned mask, T value, const emulator::Location& where = emulator::Location::current()) { \
        return static_cast<T>(emulator::warp_collective(emulator::Collective::kind, mask,                        \
                                                        static_cast<uint32_t>(value), 0, 32, 4, where));         \
    }
VELU_EMULATOR_REDUCE(__reduce_add_sync, kReduceAdd, unsigned)
VELU_EMULATOR_REDUCE(__reduce_add_sync, kReduceAdd, int)
VELU_EMULATOR_REDUCE(__reduce_min_sync, kReduceMinUnsigned, unsigned)
VELU_EMULATOR_REDUCE(__reduce_min_sync, kReduceMin, int)
VELU_EMULATOR_REDUCE(__reduce_max_sync, kReduceMaxUnsigned, unsigned)
VELU_EMULATOR_REDUCE(__reduce_max_sync, kReduceMax, int)
VELU_EMULATOR_REDUCE(__reduce_and_sync, kReduceAnd, unsigned)
VELU_EMULATOR_REDUCE(__reduce_or_sync, kReduceOr, unsigned)
VELU_EMULATOR_REDUCE(__reduce_xor_sync, kReduceXor, unsigned)
#undef VELU_EMULATOR_REDUCE

// Threads of a grid never run at the same time here, so plain memory accesses are atomic and in order.
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}

#define VELU_EMULATOR_ATOMIC(function, T, result) \
    inline T function(T* address, T value) {      \
        const T old = *address;                   \
        *address = static_cast<T>(result);        \
        return old;                               \
    }
#define VELU_EMULATOR_ATOMICS(T)                                  \
    VELU_EMULATOR_ATOMIC(atomicMin, T, value < old ? value : old) \
    VELU_EMULATOR_ATOMIC(atomicMax, T, value > old ? value : old) \
    VELU_EMULATOR_ATOMIC(atomicExch, T, value)                    \
    VELU_EMULATOR_ATOMIC(atomicAnd, T, old& value)                \
    VELU_EMULATOR_ATOMIC(atomicOr, T, old | value)                \
    VELU_EMULATOR_ATOMIC(atomicXor, T, old ^ value)               \
    inline T atomicCAS(T* address, T compare, T value) {          \
        const T old = *address;                                   \
        if (old == compare) *address = value;                     \
        return old;                                               \
    }
VELU_EMULATOR_ATOMICS(int)
VELU_EMULATOR_ATOMICS(unsigned)
VELU_EMULATOR_ATOMICS(unsigned long long)
VELU_EMULATOR_ATOMIC(atomicAdd, int, static_cast<unsigned>(old) + static_cast<unsigned>(value))
VELU_EMULATOR_ATOMIC(atomicAdd, unsigned, old + value)
VELU_EMULATOR_ATOMIC(atomicAdd, unsigned long long, old + value)
VELU_EMULATOR_ATOMIC(atomicSub, int, static_cast<unsigned>(old) - static_cast<unsigned>(value))
VELU_EMULATOR_ATOMIC(atomicSub, unsigned, old - value)
VELU_EMULATOR_ATOMIC(atomicInc, unsigned, old >= value ? 0 : old + 1)
#undef VELU_EMULATOR_ATOMICS
#undef VELU_EMULATOR_ATOMIC

// ---------------------------------------------------------------------------------------------------------------------
// Memory accesses with cache hints

#define VELU_EMULATOR_LOAD(function)      \
    template <class T>                    \
    inline T function(const T* address) { \
        return *address;                  \
    }
VELU_EMULATOR_LOAD(__ldg)
VELU_EMULATOR_LOAD(__ldca)
VELU_EMULATOR_LOAD(__ldcg)
VELU_EMULATOR_LOAD(__ldcs)
VELU_EMULATOR_LOAD(__ldlu)
VELU_EMULATOR_LOAD(__ldcv)
#undef VELU_EMULATOR_LOAD

#define VELU_EMULATOR_STORE(function)                                 \
    template <class T>                                                \
    inline void function(T* address, std::type_identity_t<T> value) { \
        *address = value;                                             \
    }
VELU_EMULATOR_STORE(__stwb)
VELU_EMULATOR_STORE(__stcg)
VELU_EMULATOR_STORE(__stcs)
VELU_EMULATOR_STORE(__stwt)
#undef VELU_EMULATOR_STORE

// ---------------------------------------------------------------------------------------------------------------------
// Arithmetic. Exact where CUDA's is exact; the approximations of the hardware are the C library's functions, which are
// closer to the true value: tests of them need tolerances that the documented errors of the hardware meet, too.

template <class To, class From>
inline To emulator_bits(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}
inline unsigned __float_as_uint(float value) {
    return emulator_bits<unsigned>(value);
}
inline int __float_as_int(float value) {
    return emulator_bits<int>(value);
}
inline float __uint_as_float(unsigned value) {
    return emulator_bits<float>(value);
}
inline float __int_as_float(int value) {
    return emulator_bits<float>(value);
}
inline long long __double_as_longlong(double value) {
    return emulator_bits<long long>(value);
}
inline double __longlong_as_double(long long value) {
    return emulator_bits<double>(value);
}
inline int __double2hiint(double value) {
    return static_cast<int>(emulator_bits<uint64_t>(value) >> 32);
}
inline int __double2loint(double value) {
    return static_cast<int>(emulator_bits<uint64_t>(value) & 0xFFFFFFFFu);
}
inline double __hiloint2double(int high, int low) {
    return emulator_bits<double>(uint64_t{static_cast<uint32_t>(high)} << 32 | static_cast<uint32_t>(low));
}

inline float __fadd_rn(float a, float b) {
    return a + b;
}
inline float __fsub_rn(float a, float b) {
    return a - b;
}
inline float __fmul_rn(float a, float b) {
    return a * b;
}
inline float __fdiv_rn(float a, float b) {
    return a / b;
}
inline float __fmaf_rn(float a, float b, float c) {
    return ::fmaf(a, b, c);
}
inline float __frcp_rn(float a) {
    return 1.0f / a;
}
inline float __fsqrt_rn(float a) {
    return ::sqrtf(a);
}
inline float __frsqrt_rn(float a) {
    return static_cast<float>(1.0 / ::sqrt(static_cast<double>(a)));
}
inline double __dadd_rn(double a, double b) {
    return a + b;
}
inline double __dsub_rn(double a, double b) {
    return a - b;
}
inline double __dmul_rn(double a, double b) {
    return a * b;
}
inline double __ddiv_rn(double a, double b) {
    return a / b;
}
inline double __fma_rn(double a, double b, double c) {
    return ::fma(a, b, c);
}
inline double __drcp_rn(double a) {
    return 1.0 / a;
}
inline double __dsqrt_rn(double a) {
    return ::sqrt(a);
}

// Conversions to integers saturate, and a NaN becomes 0 (for 64 bits: the lowest integer).
template <class Integer, class Real>
inline Integer emulator_to_integer(Real rounded) {
    constexpr Integer kLowest =
        std::is_signed_v<Integer> ? static_cast<Integer>(Integer{1} << (sizeof(Integer) * 8 - 1)) : Integer{0};
    constexpr Integer kHighest = static_cast<Integer>(~kLowest);
    if (rounded != rounded) return sizeof(Integer) == 8 ? static_cast<Integer>(uint64_t{1} << 63) : Integer{0};
    if (rounded <= static_cast<Real>(kLowest)) return kLowest;
    if (rounded >= static_cast<Real>(kHighest)) return kHighest;
    return static_cast<Integer>(rounded);
}
inline int __float2int_rn(float a) {
    return emulator_to_integer<int>(::nearbyint(static_cast<double>(a)));
}
inline int __float2int_rz(float a) {
    return emulator_to_integer<int>(::trunc(static_cast<double>(a)));
}
inline int __float2int_rd(float a) {
    return emulator_to_integer<int>(::floor(static_cast<double>(a)));
}
inline int __float2int_ru(float a) {
    return emulator_to_integer<int>(::ceil(static_cast<double>(a)));
}
inline unsigned __float2uint_rn(float a) {
    return emulator_to_integer<unsigned>(::nearbyint(static_cast<double>(a)));
}
inline unsigned __float2uint_rz(float a) {
    return emulator_to_integer<unsigned>(::trunc(static_cast<double>(a)));
}
inline float __int2float_rn(int a) {
    return static_cast<float>(a);
}
inline float __uint2float_rn(unsigned a) {
    return static_cast<float>(a);
}
inline float __ll2float_rn(long long a) {
    return static_cast<float>(a);
}
inline float __ull2float_rn(unsigned long long a) {
    return static_cast<float>(a);
}
inline double __int2double_rn(int a) {
    return a;
}
inline double __uint2double_rn(unsigned a) {
    return a;
}
inline double __ll2double_rn(long long a) {
    return static_cast<double>(a);
}
inline double __ull2double_rn(unsigned long long a) {
    return static_cast<double>(a);
}
inline float __double2float_rn(double a) {
    return static_cast<float>(a);
}
inline int __double2int_rn(double a) {
    return emulator_to_integer<int>(::nearbyint(a));
}
inline int __double2int_rz(double a) {
    return emulator_to_integer<int>(::trunc(a));
}
inline long long __double2ll_rn(double a) {
    return emulator_to_integer<long long>(::nearbyint(a));
}
inline long long __double2ll_rz(double a) {
    return emulator_to_integer<long long>(::trunc(a));
}

inline float __fdividef(float a, float b) {
    return a / b;
}
inline float fdividef(float a, float b) {
    return a / b;
}
inline float __expf(float a) {
    return ::expf(a);
}
inline float __exp10f(float a) {
    return static_cast<float>(::pow(10.0, static_cast<double>(a)));
}
inline float __logf(float a) {
    return ::logf(a);
}
inline float __log2f(float a) {
    return ::log2f(a);
}
inline float __log10f(float a) {
    return ::log10f(a);
}
inline float __powf(float a, float b) {
    return ::powf(a, b);
}
inline float __sinf(float a) {
    return ::sinf(a);
}
inline float __cosf(float a) {
    return ::cosf(a);
}
inline float __tanf(float a) {
    return ::tanf(a);
}
inline float __tanhf(float a) {
    return ::tanhf(a);
}
inline void __sincosf(float a, float* sine, float* cosine) {
    *sine = ::sinf(a);
    *cosine = ::cosf(a);
}
inline float __saturatef(float a) {
    return a > 0.0f ? (a < 1.0f ? a : 1.0f) : 0.0f;
}  // NaN becomes 0
inline float normcdff(float a) {
    return static_cast<float>(0.5 * ::erfc(-static_cast<double>(a) / ::sqrt(2.0)));
}
inline double normcdf(double a) {
    return 0.5 * ::erfc(-a / ::sqrt(2.0));
}
#if !(defined(__GLIBC__) && __GLIBC_PREREQ(2, 42))
inline float rsqrtf(float a) {
    return static_cast<float>(1.0 / ::sqrt(static_cast<double>(a)));
}
inline double rsqrt(double a) {
    return 1.0 / ::sqrt(a);
}
#endif
#if !(defined(__GLIBC__) && __GLIBC_PREREQ(2, 41))
inline float sinpif(float a) {
    return static_cast<float>(::sin(M_PI * ::fmod(static_cast<double>(a), 2.0)));
}
inline float cospif(float a) {
    return static_cast<float>(::cos(M_PI * ::fmod(static_cast<double>(a), 2.0)));
}
#endif
inline void sincospif(float a, float* sine, float* cosine) {
    *sine = sinpif(a);
    *cosine = cospif(a);
}

inline int __popc(unsigned a) {
    return __builtin_popcount(a);
}
inline int __popcll(unsigned long long a) {
    return __builtin_popcountll(a);
}
inline int __clz(int a) {
    return a == 0 ? 32 : __builtin_clz(static_cast<unsigned>(a));
}
inline int __clzll(long long a) {
    return a == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(a));
}
inline int __ffs(int a) {
    return __builtin_ffs(a);
}
inline int __ffsll(long long a) {
    return __builtin_ffsll(a);
}
inline unsigned __brev(unsigned a) {
    unsigned reversed = 0;
    for (int bit = 0; bit < 32; ++bit) reversed |= (a >> bit & 1u) << (31 - bit);
    return reversed;
}
inline int __mulhi(int a, int b) {
    return static_cast<int>((int64_t{a} * b) >> 32);
}
inline unsigned __umulhi(unsigned a, unsigned b) {
    return static_cast<unsigned>((uint64_t{a} * b) >> 32);
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    __extension__ using Wide = unsigned __int128;
    return static_cast<unsigned long long>((static_cast<Wide>(a) * b) >> 64);
}
inline long long __mul64hi(long long a, long long b) {
    __extension__ using Wide = __int128;
    return static_cast<long long>((static_cast<Wide>(a) * b) >> 64);
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
    return static_cast<unsigned>((((uint64_t{high} << 32) | low) << (shift & 31u)) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
    return static_cast<unsigned>(((uint64_t{high} << 32) | low) >> (shift & 31u));
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
    const uint64_t bytes = uint64_t{b} << 32 | a;
    unsigned result = 0;
    for (unsigned i = 0; i < 4; ++i) {
        const unsigned choice = selector >> (4 * i);
        unsigned byte = static_cast<unsigned>(bytes >> (8 * (choice & 7u))) & 0xFFu;
        if (choice & 8u) byte = byte & 0x80u ? 0xFFu : 0u;
        result |= byte << (8 * i);
    }
    return result;
}
[[noreturn]] inline void __trap() {
    std::abort();
}

// The names that CUDA puts in the global namespace.
inline int min(int a, int b) {
    return b < a ? b : a;
}
inline int max(int a, int b) {
    return a < b ? b : a;
}
inline unsigned min(unsigned a, unsigned b) {
    return b < a ? b : a;
}
inline unsigned max(unsigned a, unsigned b) {
    return a < b ? b : a;
}
inline long min(long a, long b) {
    return b < a ? b : a;
}
inline long max(long a, long b) {
    return a < b ? b : a;
}
inline unsigned long min(unsigned long a, unsigned long b) {
    return b < a ? b : a;
}
inline unsigned long max(unsigned long a, unsigned long b) {
    return a < b ? b : a;
}
inline long long min(long long a, long long b) {
    return b < a ? b : a;
}
inline long long max(long long a, long long b) {
    return a < b ? b : a;
}
inline unsigned long long min(unsigned long long a, unsigned long long b) {
    return b < a ? b : a;
}
inline unsigned long long max(unsigned long long a, unsigned long long b) {
    return a < b ? b : a;
}
inline float min(float a, float b) {
    return ::fminf(a, b);
}
inline float max(float a, float b) {
    return ::fmaxf(a, b);
}
inline double min(double a, double b) {
    return ::fmin(a, b);
}
inline double max(double a, double b) {
    return ::fmax(a, b);
}

// ---------------------------------------------------------------------------------------------------------------------
// The runtime

enum cudaError {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInitializationError = 3,
    cudaErrorCudartUnloading = 4,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorInvalidMemcpyDirection = 21,
    cudaErrorInsufficientDriver = 35,
    cudaErrorInvalidDeviceFunction = 98,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidDevice = 101,
    cudaErrorNoKernelImageForDevice = 209,
    cudaErrorInvalidResourceHandle = 400,
    cudaErrorNotReady = 600,
    cudaErrorIllegalAddress = 700,
    cudaErrorLaunchOutOfResources = 701,
    cudaErrorLaunchFailure = 719,
    cudaErrorNotSupported = 801,
    cudaErrorStreamCaptureUnsupported = 900,
    cudaErrorStreamCaptureInvalidated = 901,
    cudaErrorStreamCaptureMerge = 902,
    cudaErrorStreamCaptureUnmatched = 903,
    cudaErrorStreamCaptureUnjoined = 904,
    cudaErrorStreamCaptureIsolation = 905,
    cudaErrorStreamCaptureImplicit = 906,
    cudaErrorCapturedEvent = 907,
    cudaErrorStreamCaptureWrongThread = 908,
    cudaErrorUnknown = 999,
};
typedef enum cudaError cudaError_t;

enum cudaMemcpyKind {
    cudaMemcpyHostToHost = 0,
    cudaMemcpyHostToDevice = 1,
    cudaMemcpyDeviceToHost = 2,
    cudaMemcpyDeviceToDevice = 3,
    cudaMemcpyDefault = 4,
};

typedef struct CUstream_st* cudaStream_t;
typedef struct CUevent_st* cudaEvent_t;
typedef struct CUgraph_st* cudaGraph_t;
typedef struct CUgraphExec_st* cudaGraphExec_t;

#define cudaHostAllocDefault 0x00
#define cudaHostAllocPortable 0x01
#define cudaHostAllocMapped 0x02
#define cudaHostAllocWriteCombined 0x04
#define cudaStreamDefault 0x00
#define cudaStreamNonBlocking 0x01
#define cudaEventDefault 0x00
#define cudaEventBlockingSync 0x01
#define cudaEventDisableTiming 0x02
#define cudaStreamLegacy (reinterpret_cast<cudaStream_t>(0x1))

enum cudaStreamCaptureMode {
    cudaStreamCaptureModeGlobal = 0,
    cudaStreamCaptureModeThreadLocal = 1,
    cudaStreamCaptureModeRelaxed = 2,
};
enum cudaStreamCaptureStatus {
    cudaStreamCaptureStatusNone = 0,
    cudaStreamCaptureStatusActive = 1,
    cudaStreamCaptureStatusInvalidated = 2,
};

enum cudaMemoryType {
    cudaMemoryTypeUnregistered = 0,
    cudaMemoryTypeHost = 1,
    cudaMemoryTypeDevice = 2,
    cudaMemoryTypeManaged = 3,
};
struct cudaPointerAttributes {
    enum cudaMemoryType type;
    int device;
    void* devicePointer;
    void* hostPointer;
};

enum cudaFuncAttribute {
    cudaFuncAttributeMaxDynamicSharedMemorySize = 8,
    cudaFuncAttributePreferredSharedMemoryCarveout = 9,
};
enum cudaFuncCache {
    cudaFuncCachePreferNone = 0,
    cudaFuncCachePreferShared = 1,
    cudaFuncCachePreferL1 = 2,
    cudaFuncCachePreferEqual = 3,
};

enum cudaDeviceAttr {
    cudaDevAttrMaxThreadsPerBlock = 1,
    cudaDevAttrMaxSharedMemoryPerBlock = 8,
    cudaDevAttrWarpSize = 10,
    cudaDevAttrMultiProcessorCount = 16,
    cudaDevAttrL2CacheSize = 38,
    cudaDevAttrMaxThreadsPerMultiProcessor = 39,
    cudaDevAttrComputeCapabilityMajor = 75,
    cudaDevAttrComputeCapabilityMinor = 76,
    cudaDevAttrMaxSharedMemoryPerMultiprocessor = 81,
    cudaDevAttrMaxRegistersPerMultiprocessor = 82,
    cudaDevAttrMaxBlocksPerMultiprocessor = 106,
};

struct cudaDeviceProp {
    char name[256];
    size_t totalGlobalMem;
    size_t sharedMemPerBlock;
    int regsPerBlock;
    int warpSize;
    int maxThreadsPerBlock;
    int maxThreadsDim[3];
    int maxGridSize[3];
    size_t totalConstMem;
    int major;
    int minor;
    int multiProcessorCount;
    int integrated;
    int concurrentKernels;
    int ECCEnabled;
    int pciBusID;
    int pciDeviceID;
    int pciDomainID;
    int asyncEngineCount;
    int unifiedAddressing;
    int memoryBusWidth;
    int l2CacheSize;
    int maxThreadsPerMultiProcessor;
    size_t sharedMemPerMultiprocessor;
    int regsPerMultiprocessor;
    int maxBlocksPerMultiProcessor;
};

enum cudaLaunchAttributeID {
    cudaLaunchAttributeIgnore = 0,
    cudaLaunchAttributeCooperative = 2,
    cudaLaunchAttributeClusterDimension = 4,
    cudaLaunchAttributeProgrammaticStreamSerialization = 6,
};
union cudaLaunchAttributeValue {
    char pad[64];
    int cooperative;
    int programmaticStreamSerializationAllowed;
};
struct cudaLaunchAttribute {
    enum cudaLaunchAttributeID id;
    char pad[8 - sizeof(enum cudaLaunchAttributeID)];
    cudaLaunchAttributeValue val;
};
typedef struct cudaLaunchConfig_st {
    dim3 gridDim;
    dim3 blockDim;
    size_t dynamicSmemBytes;
    cudaStream_t stream;
    cudaLaunchAttribute* attrs;
    unsigned int numAttrs;
} cudaLaunchConfig_t;

typedef void(CUDART_CB* cudaHostFn_t)(void* userData);

const char* cudaGetErrorName(cudaError_t error);
const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaPeekAtLastError();
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaDriverGetVersion(int* version);

cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
cudaError_t cudaDeviceSynchronize();

cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
cudaError_t cudaMalloc(void** memory, size_t bytes);
cudaError_t cudaFree(void* memory);
cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned flags);
cudaError_t cudaMallocHost(void** memory, size_t bytes);
cudaError_t cudaFreeHost(void* memory);
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* memory);
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream = nullptr);
cudaError_t cudaMemset(void* memory, int value, size_t bytes);
cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream = nullptr);

cudaError_t cudaStreamCreate(cudaStream_t* stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority);
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags = 0);
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data);

cudaError_t cudaEventCreate(cudaEvent_t* event);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream = nullptr);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end);

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status);
cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long flags = 0);
cudaError_t cudaGraphUpload(cudaGraphExec_t executable, cudaStream_t stream);
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable);

namespace emulator {
/// Puts a kernel on a stream. thread is called once per CUDA thread; kernel is its address, for messages.
cudaError_t launch(const cudaLaunchConfig_t* config, const void* kernel, std::function<void()> thread);
cudaError_t function_attribute(const void* kernel, cudaFuncAttribute attribute, int value);
cudaError_t active_blocks(int* blocks, int threads, size_t dynamic_shared_bytes);
}  // namespace emulator

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
    static_assert((std::is_trivially_copyable_v<Parameters> && ...), "kernel arguments are copied byte by byte");
    static_assert((size_t{0} + ... + sizeof(Parameters)) <= 4096, "kernel arguments exceed 4096 bytes");
    return emulator::launch(config, reinterpret_cast<const void*>(kernel),
                            [kernel, values = std::tuple<Parameters...>(std::forward<Arguments>(arguments)...)] {
                                std::apply(kernel, values);
                            });
}

template <class T>
cudaError_t cudaMalloc(T** memory, size_t bytes) {
    return cudaMalloc(reinterpret_cast<void**>(memory), bytes);
}
template <class T>
cudaError_t cudaHostAlloc(T** memory, size_t bytes, unsigned flags) {
    return cudaHostAlloc(reinterpret_cast<void**>(memory), bytes, flags);
}
template <class T>
cudaError_t cudaMallocHost(T** memory, size_t bytes) {
    return cudaMallocHost(reinterpret_cast<void**>(memory), bytes);
}
template <class Kernel>
cudaError_t cudaFuncSetAttribute(Kernel* kernel, cudaFuncAttribute attribute, int value) {
    return emulator::function_attribute(reinterpret_cast<const void*>(kernel), attribute, value);
}
template <class Kernel>
cudaError_t cudaFuncSetCacheConfig(Kernel*, cudaFuncCache) {
    return cudaSuccess;
}
template <class Kernel>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Kernel*, int threads, size_t dynamic_bytes) {
    return emulator::active_blocks(blocks, threads, dynamic_bytes);
}
