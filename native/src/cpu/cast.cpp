// Conversion between element types, in blocks that stay whole whatever the thread count. Limited by memory.
#include <algorithm>
#include <cstring>

#include "cpu/context.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

// The upper half of the float, rounded to nearest, ties to even. The addition carries into the upper half, and from the
// largest number into infinity; a NaN is cut instead, and made quiet, as its remaining bits may all be 0.
void to_bfloat16(const uint32_t* x, uint16_t* y, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
        const uint32_t bits = x[i];
        const uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
        const uint32_t quiet = (bits >> 16) | 0x40u;
        const bool is_nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
        y[i] = static_cast<uint16_t>(is_nan ? quiet : rounded);
    }
}

void to_float(const uint16_t* x, uint32_t* y, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) y[i] = static_cast<uint32_t>(x[i]) << 16;
}

}  // namespace

velu_status cast_forward(DeviceContext* context, const velu_cast_desc* desc, const void* x, void* y) {
    return guarded(context, [&]() -> velu_status {
        constexpr int64_t kBlock = 16384;
        const bool from_bfloat16 = desc->source_dtype == VELU_DTYPE_BF16;
        const bool into_bfloat16 = desc->dtype == VELU_DTYPE_BF16;
        const int64_t from_size = from_bfloat16 ? 2 : 4;
        const int64_t to_size = into_bfloat16 ? 2 : 4;
        parallel_for(cpu(context), (desc->count + kBlock - 1) / kBlock, [&](int64_t block) {
            const int64_t start = block * kBlock;
            const int64_t count = std::min(kBlock, desc->count - start);
            const void* from = static_cast<const char*>(x) + start * from_size;
            void* to = static_cast<char*>(y) + start * to_size;
            if (from_bfloat16 == into_bfloat16) {  // every bit stays
                std::memcpy(to, from, static_cast<size_t>(count * to_size));
            } else if (into_bfloat16) {
                to_bfloat16(static_cast<const uint32_t*>(from), static_cast<uint16_t*>(to), count);
            } else {
                to_float(static_cast<const uint16_t*>(from), static_cast<uint32_t*>(to), count);
            }
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
