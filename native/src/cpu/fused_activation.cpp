#include "cpu/fused_activation.h"

#include <algorithm>

#include "cpu/isa/activation_kernels.h"

namespace velu::cpu {
namespace {

template <class T>
void activate(const Context& context, int32_t activation, const T* x, T* y, int64_t rows, int64_t channels,
              int64_t y_pitch) {
    const ActivationKernels<T>& kernels = activation_kernels(context.isa).of<T>();
    const auto run = [&](const T* from, T* to, int64_t count) {
        if (activation == VELU_ACTIVATION_IDENTITY) {
            std::memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
        } else {
            kernels.forward(activation, from, to, count);
        }
    };
    const int64_t rows_per_block = std::clamp<int64_t>(16384 / channels, 1, rows);
    parallel_for(context, (rows + rows_per_block - 1) / rows_per_block, [&](int64_t block) {
        const int64_t first = block * rows_per_block;
        const int64_t last = std::min(first + rows_per_block, rows);
        if (y_pitch == channels) return run(x + first * channels, y + first * channels, (last - first) * channels);
        for (int64_t row = first; row < last; ++row) run(x + row * channels, y + row * y_pitch, channels);
    });
}

}  // namespace

void activate_rows(const Context& context, int32_t activation, int32_t dtype, const void* x, void* y, int64_t rows,
                   int64_t channels, int64_t y_pitch) {
    if (activation == VELU_ACTIVATION_IDENTITY && x == y) return;
    with_element(dtype, [&]<class T>(T) {
        activate(context, activation, static_cast<const T*>(x), static_cast<T*>(y), rows, channels, y_pitch);
    });
}

}  // namespace velu::cpu
