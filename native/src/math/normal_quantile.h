// Quantiles of the standard normal distribution, and how numbers are sorted to meet them.
#pragma once

#include <cstdint>

#include "math/normal.h"

namespace velu::math {

/// Phi^-1((i + 1/2) / n) for 0 <= i < n < 2^32: M. J. Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37, 1988,
/// relative error about 1e-16. Its formula for tails below 1.4e-11 is left out: 1 / (2 n) does not reach them. The two
/// halves mirror each other to the bit.
VELU_SHARED_INLINE double normal_quantile(int64_t i, int64_t n) {
    const int64_t opposite = n - 1 - i;
    const bool upper = i > opposite;
    const double tail = (static_cast<double>(upper ? opposite : i) + 0.5) / static_cast<double>(n);
    const double q = 0.5 - tail;
    double r, numerator, denominator;
    if (q <= 0.425) {
        r = 0.180625 - q * q;
        numerator = 2.5090809287301226727e+3;
        numerator = numerator * r + 3.3430575583588128105e+4;
        numerator = numerator * r + 6.7265770927008700853e+4;
        numerator = numerator * r + 4.5921953931549871457e+4;
        numerator = numerator * r + 1.3731693765509461125e+4;
        numerator = numerator * r + 1.9715909503065514427e+3;
        numerator = numerator * r + 1.3314166789178437745e+2;
        numerator = (numerator * r + 3.3871328727963666080e+0) * q;
        denominator = 5.2264952788528545610e+3;
        denominator = denominator * r + 2.8729085735721942674e+4;
        denominator = denominator * r + 3.9307895800092710610e+4;
        denominator = denominator * r + 2.1213794301586595867e+4;
        denominator = denominator * r + 5.3941960214247511077e+3;
        denominator = denominator * r + 6.8718700749205790830e+2;
        denominator = denominator * r + 4.2313330701600911252e+1;
    } else {
        r = strict::square_root(-strict::log(tail)) - 1.6;
        numerator = 7.74545014278341407640e-4;
        numerator = numerator * r + 2.27238449892691845833e-2;
        numerator = numerator * r + 2.41780725177450611770e-1;
        numerator = numerator * r + 1.27045825245236838258e+0;
        numerator = numerator * r + 3.64784832476320460504e+0;
        numerator = numerator * r + 5.76949722146069140550e+0;
        numerator = numerator * r + 4.63033784615654529590e+0;
        numerator = numerator * r + 1.42343711074968357734e+0;
        denominator = 1.05075007164441684324e-9;
        denominator = denominator * r + 5.47593808499534494600e-4;
        denominator = denominator * r + 1.51986665636164571966e-2;
        denominator = denominator * r + 1.48103976427480074590e-1;
        denominator = denominator * r + 6.89767334985100004550e-1;
        denominator = denominator * r + 1.67638483018380384940e+0;
        denominator = denominator * r + 2.05319162663775882187e+0;
    }
    const double size = numerator / (denominator * r + 1.0);
    return upper ? size : -size;
}

/// A whole number that is ordered as the float with these bits is: NaN with the sign bit first, -infinity ... infinity,
/// other NaN last. Both zeros are the same number.
VELU_SHARED_INLINE uint32_t ordered_key(uint32_t bits) {
    if (bits == 0x80000000u) bits = 0;
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

/// The bits that a key was made of.
VELU_SHARED_INLINE uint32_t bits_of_key(uint32_t key) {
    return (key & 0x80000000u) != 0 ? key & 0x7FFFFFFFu : ~key;
}

}  // namespace velu::math
