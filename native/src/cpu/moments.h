// Moments of A over parts of a tensor, and how all of them are joined.
#pragma once

#include <cstdint>

#include "math/velu_float64.h"

namespace velu::cpu {

using math::Moments;
using math::store_moments;

/// Joins all parts pairwise, in an order that depends on their number only. The parts are overwritten.
inline Moments merge_all(Moments* parts, int64_t count) {
    for (int64_t stride = 1; stride < count; stride *= 2) {
        for (int64_t i = 0; i + stride < count; i += 2 * stride) parts[i] = math::merge(parts[i], parts[i + stride]);
    }
    return count == 0 ? Moments{} : parts[0];
}

}  // namespace velu::cpu
