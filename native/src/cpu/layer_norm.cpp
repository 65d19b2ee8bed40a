// Layer normalization with the residual sum before it. A task is a block of rows; gradients of the parameters are
// summed in float32 over each block and in float64 over the blocks, in their order, so they are the same bits for any
// number of threads.
#include <algorithm>

#include "cpu/context.h"
#include "cpu/isa/layer_norm_kernels.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

constexpr int64_t kRowsPerBlock = 32;

/// Channels whose sums one task joins.
constexpr int64_t kChannelTile = 64;

/// body(block, first row, number of rows) for all blocks of rows.
template <class Body>
void for_row_blocks(const Context& context, int64_t rows, int64_t rows_per_block, const Body& body) {
    parallel_for(context, (rows + rows_per_block - 1) / rows_per_block, [&](int64_t block) {
        const int64_t first = block * rows_per_block;
        body(block, first, std::min(rows_per_block, rows - first));
    });
}

/// sum[c] = sum of partial[block][c] over the blocks; a block's partial sums are `stride` apart.
void join(const Context& context, const float* partial, int64_t blocks, int64_t stride, int64_t channels, float* sum) {
    parallel_for(context, (channels + kChannelTile - 1) / kChannelTile, [&](int64_t tile) {
        const int64_t first = tile * kChannelTile;
        const int64_t size = std::min(kChannelTile, channels - first);
        double joined[kChannelTile] = {};
        for (int64_t block = 0; block < blocks; ++block) {
            const float* from = partial + block * stride + first;
            for (int64_t c = 0; c < size; ++c) joined[c] += static_cast<double>(from[c]);
        }
        for (int64_t c = 0; c < size; ++c) sum[first + c] = static_cast<float>(joined[c]);
    });
}

template <class T>
void forward(const Context& context, const velu_layer_norm_desc& desc, const T* x, const T* residual,
             const float* weight, const float* bias, T* sum, T* y, float* saved_mean, float* saved_inv_std) {
    const LayerNormKernels<T>& kernels = layer_norm_kernels(context.isa).of<T>();
    const int64_t channels = desc.channels;
    // Narrow rows share a task, for the sake of its overhead.
    const int64_t rows_per_block = std::max<int64_t>(1, 16384 / channels);
    for_row_blocks(context, desc.rows, rows_per_block, [&](int64_t, int64_t first, int64_t rows) {
        const int64_t start = first * channels;
        const bool has_residual = residual != nullptr;
        kernels.forward(x + start, has_residual ? residual + start : nullptr, weight, bias, desc.eps, rows, channels,
                        has_residual ? sum + start : nullptr, y + start,
                        saved_mean == nullptr ? nullptr : saved_mean + first,
                        saved_inv_std == nullptr ? nullptr : saved_inv_std + first);
    });
}

template <class T>
void backward(Context& context, const velu_layer_norm_desc& desc, const T* z, const T* dy, const T* dz_addend,
              const float* weight, const float* saved_mean, const float* saved_inv_std, T* dx, float* dweight,
              float* dbias) {
    const LayerNormKernels<T>& kernels = layer_norm_kernels(context.isa).of<T>();
    const int64_t channels = desc.channels;
    const int64_t blocks = (desc.rows + kRowsPerBlock - 1) / kRowsPerBlock;
    const int64_t stride = (2 * channels + 15) / 16 * 16;  // blocks of different threads share no cache line
    auto* partial =
        static_cast<float*>(context.workspace.reserve(static_cast<size_t>(blocks * stride) * sizeof(float)));
    for_row_blocks(context, desc.rows, kRowsPerBlock, [&](int64_t block, int64_t first, int64_t rows) {
        const int64_t start = first * channels;
        float* sums = partial + block * stride;
        std::fill_n(sums, 2 * channels, 0.0f);
        kernels.backward(z + start, dy + start, dz_addend == nullptr ? nullptr : dz_addend + start, weight,
                         saved_mean + first, saved_inv_std + first, rows, channels, dx + start, sums, sums + channels);
    });
    join(context, partial, blocks, stride, channels, dweight);
    join(context, partial + channels, blocks, stride, channels, dbias);
}

}  // namespace

velu_status layer_norm_forward(DeviceContext* context, const velu_layer_norm_desc* desc, const void* x,
                               const void* residual, const float* weight, const float* bias, void* sum, void* y,
                               float* saved_mean, float* saved_inv_std) {
    return guarded(context, [&]() -> velu_status {
        with_element(desc->dtype, [&]<class T>(T) {
            forward(cpu(context), *desc, static_cast<const T*>(x), static_cast<const T*>(residual), weight, bias,
                    static_cast<T*>(sum), static_cast<T*>(y), saved_mean, saved_inv_std);
        });
        return VELU_STATUS_SUCCESS;
    });
}

velu_status layer_norm_backward(DeviceContext* context, const velu_layer_norm_desc* desc, const void* z, const void* dy,
                                const void* dz_addend, const float* weight, const float* saved_mean,
                                const float* saved_inv_std, void* dx, float* dweight, float* dbias) {
    return guarded(context, [&]() -> velu_status {
        with_element(desc->dtype, [&]<class T>(T) {
            backward(cpu(context), *desc, static_cast<const T*>(z), static_cast<const T*>(dy),
                     static_cast<const T*>(dz_addend), weight, saved_mean, saved_inv_std, static_cast<T*>(dx), dweight,
                     dbias);
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
