// The two types that elements of tensors are stored in: float, and BFloat16, which is computed in float32. Code is
// written once, as a template of the stored type T.
#pragma once

#include <velu/velu.h>

#include <cstdint>
#include <type_traits>

#include "math/bfloat16.h"
#include "math/host_device.h"

namespace velu::cpu {

/// body(T{}) with the stored type of a VELU_DTYPE_*.
template <class Body>
auto with_element(int32_t dtype, const Body& body) {
    return dtype == VELU_DTYPE_BF16 ? body(BFloat16{}) : body(float{});
}

/// A table of kernels for each stored type.
template <template <class> class Kernels>
struct ByElement {
    Kernels<float> float32;
    Kernels<BFloat16> bfloat16;

    template <class T>
    const Kernels<T>& of() const {
        if constexpr (std::is_same_v<T, BFloat16>) {
            return bfloat16;
        } else {
            return float32;
        }
    }
};

// One element, for loops that the compiler vectorizes; others use the vectors of math/simd.h.

VELU_SHARED_INLINE float value_of(float element) {
    return element;
}
VELU_SHARED_INLINE float value_of(BFloat16 element) {
    return __builtin_bit_cast(float, static_cast<uint32_t>(element.bits) << 16);
}

VELU_SHARED_INLINE void put(float value, float* to) {
    *to = value;
}
VELU_SHARED_INLINE void put(float value, BFloat16* to) {
    *to = bfloat16_from_float_bits(__builtin_bit_cast(uint32_t, value));
}

}  // namespace velu::cpu
