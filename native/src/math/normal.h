// Random words to floating-point numbers, with the same bits on every backend.
//
// The logarithm, sine and cosine below are this library's own polynomials, because those of two C libraries differ in
// the last bits. They use only +, -, *, / and sqrt in float64, which IEEE 754 fixes, and no fused multiply-add, which
// not every processor has. Host code that includes this must be compiled with -ffp-contract=off; device code uses
// intrinsics that are never contracted.
#pragma once

#include <cstdint>

#include "host_device.h"

/// Functions made of IEEE operations that no compiler may fuse or reorder.
namespace velu::strict {

#ifdef __CUDA_ARCH__
VELU_SHARED_INLINE double add(double a, double b) {
    return __dadd_rn(a, b);
}
VELU_SHARED_INLINE double multiply(double a, double b) {
    return __dmul_rn(a, b);
}
VELU_SHARED_INLINE double divide(double a, double b) {
    return __ddiv_rn(a, b);
}
VELU_SHARED_INLINE double square_root(double a) {
    return __dsqrt_rn(a);
}
VELU_SHARED_INLINE uint64_t bits(double a) {
    return static_cast<uint64_t>(__double_as_longlong(a));
}
VELU_SHARED_INLINE double from_bits(uint64_t a) {
    return __longlong_as_double(static_cast<long long>(a));
}
#else
VELU_SHARED_INLINE double add(double a, double b) {
    return a + b;
}
VELU_SHARED_INLINE double multiply(double a, double b) {
    return a * b;
}
VELU_SHARED_INLINE double divide(double a, double b) {
    return a / b;
}
VELU_SHARED_INLINE double square_root(double a) {
    return __builtin_sqrt(a);
}
// The builtin, not std::bit_cast: an instantiation of a library template would be a symbol shared between instruction
// sets.
VELU_SHARED_INLINE uint64_t bits(double a) {
    return __builtin_bit_cast(uint64_t, a);
}
VELU_SHARED_INLINE double from_bits(uint64_t a) {
    return __builtin_bit_cast(double, a);
}
#endif

/// a x + b, rounded twice: one step of Horner's rule.
VELU_SHARED_INLINE double step(double a, double x, double b) {
    return add(multiply(a, x), b);
}

/// log(x) for normal x > 0, error below 2 units in the last place of float64: x = 2^k m with sqrt(1/2) <= m < sqrt(2),
/// and log(m) = 2 atanh((m - 1) / (m + 1)) by its series.
VELU_SHARED_INLINE double log(double x) {
    constexpr uint64_t kSqrtHalf = 0x3FE6A09E667F3BCDu;
    constexpr uint64_t kOne = 0x3FF0000000000000u;
    const uint64_t shifted = bits(x) + (kOne - kSqrtHalf);
    const double m = from_bits((shifted & 0x000FFFFFFFFFFFFFu) + kSqrtHalf);
    // The biased exponent becomes a float64 through the mantissa of 2^52, as vectors lack the 64-bit conversion.
    const double k = add(from_bits((shifted >> 52) | 0x4330000000000000u), -(4503599627370496.0 + 1023.0));
    const double f = add(m, -1.0);
    const double s = divide(f, add(2.0, f));
    const double z = multiply(s, s);
    double series = 2.0 / 19.0;
    series = step(series, z, 2.0 / 17.0);
    series = step(series, z, 2.0 / 15.0);
    series = step(series, z, 2.0 / 13.0);
    series = step(series, z, 2.0 / 11.0);
    series = step(series, z, 2.0 / 9.0);
    series = step(series, z, 2.0 / 7.0);
    series = step(series, z, 2.0 / 5.0);
    series = step(series, z, 2.0 / 3.0);
    const double log_m = step(multiply(s, z), series, multiply(2.0, s));
    return step(k, 0x1.62e42fefa39efp-1, log_m);
}

struct NormalPair {
    double first;
    double second;
};

/// Two independent standard normal numbers from two uniform words, by Box and Muller: a radius sqrt(-2 log u) with
/// u = (radius_word + 1) / 2^32 in (0, 1], at most 6.67, and an angle of angle_word / 2^32 turns.
VELU_SHARED_INLINE NormalPair normal_pair(uint32_t radius_word, uint32_t angle_word) {
    // Through int32_t, as vectors lack the unsigned conversion.
    const double radius_integer =
        add(static_cast<double>(static_cast<int32_t>(radius_word ^ 0x80000000u)), 0x1.00000002p31);
    const double radius = square_root(multiply(-2.0, log(multiply(radius_integer, 0x1p-32))));

    // The nearest quarter of a turn, and the angle from there in [-pi/4, pi/4).
    const uint32_t quarter = (angle_word + 0x20000000u) >> 30;
    const double angle =
        multiply(static_cast<double>(static_cast<int32_t>(angle_word - (quarter << 30))), 0x1.921fb54442d18p-30);
    const double square = multiply(angle, angle);
    double sine = -1.0 / 1307674368000.0;
    sine = step(sine, square, 1.0 / 6227020800.0);
    sine = step(sine, square, -1.0 / 39916800.0);
    sine = step(sine, square, 1.0 / 362880.0);
    sine = step(sine, square, -1.0 / 5040.0);
    sine = step(sine, square, 1.0 / 120.0);
    sine = step(sine, square, -1.0 / 6.0);
    sine = step(multiply(angle, square), sine, angle);
    double cosine = -1.0 / 87178291200.0;
    cosine = step(cosine, square, 1.0 / 479001600.0);
    cosine = step(cosine, square, -1.0 / 3628800.0);
    cosine = step(cosine, square, 1.0 / 40320.0);
    cosine = step(cosine, square, -1.0 / 720.0);
    cosine = step(cosine, square, 1.0 / 24.0);
    cosine = step(cosine, square, -1.0 / 2.0);
    cosine = step(cosine, square, 1.0);

    const bool swapped = (quarter & 1u) != 0;
    const double along = swapped ? sine : cosine;
    const double across = swapped ? cosine : sine;
    // cos: + - - + and sin: + + - - over the four quarters.
    const double along_sign = ((quarter + 1u) & 2u) != 0 ? -1.0 : 1.0;
    const double across_sign = (quarter & 2u) != 0 ? -1.0 : 1.0;
    return {multiply(radius, multiply(along, along_sign)), multiply(radius, multiply(across, across_sign))};
}

/// mean + deviation * z, rounded to float32 once.
VELU_SHARED_INLINE float scaled_normal(double z, float mean, float deviation) {
    return static_cast<float>(step(static_cast<double>(deviation), z, static_cast<double>(mean)));
}

/// A number in [a, b) from the upper 24 bits of a word, or a if a = b. last is the largest float32 below b (a if a =
/// b): without it the final rounding could reach b.
VELU_SHARED_INLINE float scaled_uniform(uint32_t word, float a, float b, float last) {
    const double u = multiply(static_cast<double>(static_cast<int32_t>(word >> 8)), 0x1p-24);
    const double width = add(static_cast<double>(b), -static_cast<double>(a));
    const float value = static_cast<float>(step(u, width, static_cast<double>(a)));
    return value < last ? value : last;
}

}  // namespace velu::strict
