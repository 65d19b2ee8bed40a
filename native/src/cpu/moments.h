// Count, mean and sum of squared deviations of parts of a tensor, and how the parts are joined.
#pragma once

#include <cmath>
#include <cstdint>

namespace velu::cpu {

/// One part: count numbers, their mean, and m2 = sum (number - mean)^2.
struct Moments {
    double count = 0;
    double mean = 0;
    double m2 = 0;
};

/// Joins two parts by Chan's rule, which subtracts means, not squares.
inline Moments merge(const Moments& a, const Moments& b) {
    if (a.count == 0) return b;
    if (b.count == 0) return a;
    const double count = a.count + b.count;
    const double delta = b.mean - a.mean;
    const double share = b.count / count;
    // A difference of infinities would make an infinite mean NaN.
    const double mean = std::isfinite(delta) ? a.mean + delta * share : a.mean * (1.0 - share) + b.mean * share;
    return {count, mean, a.m2 + b.m2 + delta * delta * a.count * share};
}

/// Joins all parts pairwise, in an order that depends on their number only. The parts are overwritten.
inline Moments merge_all(Moments* parts, int64_t count) {
    for (int64_t stride = 1; stride < count; stride *= 2) {
        for (int64_t i = 0; i + stride < count; i += 2 * stride) parts[i] = merge(parts[i], parts[i + stride]);
    }
    return count == 0 ? Moments{} : parts[0];
}

/// Stores {mean, std, W2^2} with W2^2 = mean^2 + (std - 1)^2 and the population's std, as velu_velu_forward documents.
inline void store_moments(const Moments& all, float* moments) {
    const double std = std::sqrt(all.m2 / all.count);
    moments[0] = static_cast<float>(all.mean);
    moments[1] = static_cast<float>(std);
    moments[2] = static_cast<float>(all.mean * all.mean + (std - 1.0) * (std - 1.0));
}

}  // namespace velu::cpu
