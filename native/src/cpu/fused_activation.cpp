#include "cpu/fused_activation.h"

#include <algorithm>

#include "cpu/isa/activation_kernels.h"

namespace velu::cpu {

void activate_rows(const Context& context, int32_t activation, const float* x, float* y, int64_t rows, int64_t channels,
                   int64_t y_pitch) {
    if (activation == VELU_ACTIVATION_IDENTITY && x == y) return;
    const ActivationKernels& kernels = activation_kernels(context.isa);
    const auto activate = [&](const float* from, float* to, int64_t count) {
        if (activation == VELU_ACTIVATION_IDENTITY) {
            std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
        } else {
            kernels.forward(activation, from, to, count);
        }
    };
    const int64_t rows_per_block = std::clamp<int64_t>(16384 / channels, 1, rows);
    parallel_for(context, (rows + rows_per_block - 1) / rows_per_block, [&](int64_t block) {
        const int64_t first = block * rows_per_block;
        const int64_t last = std::min(first + rows_per_block, rows);
        if (y_pitch == channels) return activate(x + first * channels, y + first * channels, (last - first) * channels);
        for (int64_t row = first; row < last; ++row) activate(x + row * channels, y + row * y_pitch, channels);
    });
}

}  // namespace velu::cpu
