// Copy of rows that lie a pitch apart. Elements are moved as bytes; limited by memory.
#include <algorithm>
#include <cstring>

#include "cpu/context.h"
#include "cpu/operations.h"

namespace velu::cpu {

velu_status copy_rows_forward(DeviceContext* context, const velu_copy_rows_desc* desc, const void* x, void* y) {
    return guarded(context, [&]() -> velu_status {
        const int64_t element = desc->dtype == VELU_DTYPE_BF16 ? sizeof(uint16_t) : sizeof(float);
        const int64_t row_bytes = desc->channels * element;
        const int64_t x_step = desc->x_pitch * element;
        const int64_t y_step = desc->y_pitch * element;
        const auto rest = static_cast<size_t>(desc->zero_rest == 1 ? y_step - row_bytes : 0);
        const auto* from = static_cast<const char*>(x);
        auto* to = static_cast<char*>(y);
        const int64_t rows_per_block = std::clamp<int64_t>(65536 / y_step, 1, desc->rows);
        parallel_for(cpu(context), (desc->rows + rows_per_block - 1) / rows_per_block, [&](int64_t block) {
            const int64_t first = block * rows_per_block;
            const int64_t last = std::min(first + rows_per_block, desc->rows);
            if (x_step == row_bytes && y_step == row_bytes) {
                std::memcpy(to + first * row_bytes, from + first * row_bytes,
                            static_cast<size_t>((last - first) * row_bytes));
                return;
            }
            for (int64_t row = first; row < last; ++row) {
                std::memcpy(to + row * y_step, from + row * x_step, static_cast<size_t>(row_bytes));
                if (rest != 0) std::memset(to + row * y_step + row_bytes, 0, rest);
            }
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
