// VeLU and its gradient: blocks of rows, each read and written once, in parallel; sums of blocks are joined in order.
#include <algorithm>

#include "cpu/context.h"
#include "cpu/isa/velu_kernels.h"
#include "cpu/moments.h"
#include "cpu/operations.h"
#include "cpu/velu_constants.h"

namespace velu::cpu {

namespace {

/// Rows [first, first + rows) of a block of about 32 KiB. The division depends on the shape only.
struct RowBlocks {
    int64_t rows_per_block;
    int64_t count;

    RowBlocks(int64_t rows, int64_t channels)
        : rows_per_block(std::clamp<int64_t>(8192 / channels, 1, rows)),
          count((rows + rows_per_block - 1) / rows_per_block) {}
};

}  // namespace

velu_status velu_forward(DeviceContext* context, const velu_velu_desc* desc, const void* x, const float* lambda,
                         void* y, float* moments) {
    return guarded(context, [&]() -> velu_status {
        const VeluKernels& kernels = velu_kernels(cpu(context).isa);
        const VeluConstants constants = forward_constants(desc->params, lambda);
        const RowBlocks blocks(desc->rows, desc->channels);
        Moments* parts = nullptr;
        if (moments != nullptr) {
            parts = static_cast<Moments*>(
                cpu(context).workspace.reserve(static_cast<size_t>(blocks.count) * sizeof(Moments)));
        }
        const auto* from = static_cast<const float*>(x);
        auto* to = static_cast<float*>(y);
        parallel_for(cpu(context), blocks.count, [&](int64_t block) {
            const int64_t row = block * blocks.rows_per_block;
            const int64_t start = row * desc->channels;
            kernels.forward(constants, from + start, to + start, std::min(blocks.rows_per_block, desc->rows - row),
                            desc->channels, parts == nullptr ? nullptr : parts + block);
        });
        if (moments != nullptr) store_moments(merge_all(parts, blocks.count), moments);
        return VELU_STATUS_SUCCESS;
    });
}

velu_status velu_backward(DeviceContext* context, const velu_velu_desc* desc, const void* x, const void* dy,
                          const float* lambda, const float* moments, void* dx, float* dlambda) {
    return guarded(context, [&]() -> velu_status {
        const VeluKernels& kernels = velu_kernels(cpu(context).isa);
        const double elements = static_cast<double>(desc->rows) * static_cast<double>(desc->channels);
        const VeluConstants constants = backward_constants(desc->params, lambda, desc->w2_weight, moments, elements);
        const RowBlocks blocks(desc->rows, desc->channels);
        double* parts = nullptr;
        if (dlambda != nullptr) {
            parts = static_cast<double*>(
                cpu(context).workspace.reserve(static_cast<size_t>(blocks.count) * sizeof(double)));
        }
        const auto* from = static_cast<const float*>(x);
        const auto* upstream = static_cast<const float*>(dy);
        auto* gradient = static_cast<float*>(dx);
        parallel_for(cpu(context), blocks.count, [&](int64_t block) {
            const int64_t row = block * blocks.rows_per_block;
            const int64_t start = row * desc->channels;
            kernels.backward(constants, from + start, upstream + start, gradient + start,
                             std::min(blocks.rows_per_block, desc->rows - row), desc->channels,
                             parts == nullptr ? nullptr : parts + block);
        });
        if (dlambda != nullptr) {
            double sum = 0;
            for (int64_t block = 0; block < blocks.count; ++block) sum += parts[block];
            *dlambda = static_cast<float>(sum);
        }
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
