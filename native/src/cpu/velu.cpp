// VeLU and its gradient: blocks of rows, each read and written once, in parallel; sums of blocks are joined in order.
// Blocks and tensors that float32 cannot resolve are done again in float64: math/velu_float64.h.
#include <algorithm>
#include <cstring>

#include "cpu/context.h"
#include "cpu/isa/velu_kernels.h"
#include "cpu/moments.h"
#include "cpu/operations.h"
#include "cpu/velu_constants.h"
#include "cpu/velu_float64.h"

namespace velu::cpu {

namespace {

/// Blocks of rows of about 32 KiB. The division depends on the shape only.
class RowBlocks {
public:
    RowBlocks(int64_t rows, int64_t channels)
        : rows_(rows),
          channels_(channels),
          rows_per_block_(std::clamp<int64_t>(8192 / channels, 1, rows)),
          count_((rows + rows_per_block_ - 1) / rows_per_block_) {}

    int64_t count() const { return count_; }
    /// Elements of the largest block.
    int64_t size() const { return rows_per_block_ * channels_; }
    /// First element of a block.
    int64_t start(int64_t block) const { return block * size(); }
    int64_t rows(int64_t block) const { return std::min(rows_per_block_, rows_ - block * rows_per_block_); }

private:
    int64_t rows_, channels_, rows_per_block_, count_;
};

size_t bytes_of_moments(const RowBlocks& blocks) {
    return (static_cast<size_t>(blocks.count()) * sizeof(Moments) + 63) / 64 * 64;
}

/// Forward with moments. Where y overwrites x, a block is kept until it is known that float32 has given its moments.
Moments forward_with_moments(Context& context, const VeluConstants& constants, const RowBlocks& blocks,
                             int64_t channels, const float* x, float* y) {
    const VeluKernels& kernels = velu_kernels(context.isa);
    const bool in_place = x == y;
    const int64_t lanes = in_place ? std::min<int64_t>(context.threads, blocks.count()) : blocks.count();
    const size_t kept_bytes = in_place ? static_cast<size_t>(lanes * blocks.size()) * sizeof(float) : 0;
    auto* scratch = static_cast<unsigned char*>(context.workspace.reserve(bytes_of_moments(blocks) + kept_bytes));
    auto* parts = reinterpret_cast<Moments*>(scratch);
    auto* kept = reinterpret_cast<float*>(scratch + bytes_of_moments(blocks));
    parallel_for(context, lanes, [&](int64_t lane) {
        for (int64_t block = lane; block < blocks.count(); block += lanes) {
            const int64_t rows = blocks.rows(block);
            const float* from = x + blocks.start(block);
            float* to = y + blocks.start(block);
            if (in_place) {
                float* copy = kept + lane * blocks.size();
                std::memcpy(copy, from, static_cast<size_t>(rows * channels) * sizeof(float));
                from = copy;
            }
            kernels.forward(constants, from, to, rows, channels, &parts[block]);
            if (!math::float32_moments_suffice(parts[block])) {
                parts[block] = velu_float64_moments(constants.params, from, rows, channels);
            }
        }
    });
    return merge_all(parts, blocks.count());
}

/// Mean and std of A over the whole tensor, from x.
Moments float64_moments(Context& context, const velu_velu_params& params, const RowBlocks& blocks, int64_t channels,
                        const float* x) {
    auto* parts = static_cast<Moments*>(context.workspace.reserve(bytes_of_moments(blocks)));
    parallel_for(context, blocks.count(), [&](int64_t block) {
        parts[block] = velu_float64_moments(params, x + blocks.start(block), blocks.rows(block), channels);
    });
    return merge_all(parts, blocks.count());
}

/// body(block, its part of dlambda or NULL) for every block; then joins the parts.
template <class Body>
void for_blocks(Context& context, const RowBlocks& blocks, float* dlambda, const Body& body) {
    double* parts = nullptr;
    if (dlambda != nullptr) {
        parts = static_cast<double*>(context.workspace.reserve(static_cast<size_t>(blocks.count()) * sizeof(double)));
    }
    parallel_for(context, blocks.count(),
                 [&](int64_t block) { body(block, parts == nullptr ? nullptr : parts + block); });
    if (dlambda == nullptr) return;
    double sum = 0;
    for (int64_t block = 0; block < blocks.count(); ++block) sum += parts[block];
    *dlambda = static_cast<float>(sum);
}

}  // namespace

velu_status velu_forward(DeviceContext* context, const velu_velu_desc* desc, const void* x, const float* lambda,
                         void* y, float* moments) {
    return guarded(context, [&]() -> velu_status {
        const VeluConstants constants = forward_constants(desc->params, lambda);
        const RowBlocks blocks(desc->rows, desc->channels);
        const auto* from = static_cast<const float*>(x);
        auto* to = static_cast<float*>(y);
        if (moments != nullptr) {
            store_moments(forward_with_moments(cpu(context), constants, blocks, desc->channels, from, to), moments);
            return VELU_STATUS_SUCCESS;
        }
        const VeluKernels& kernels = velu_kernels(cpu(context).isa);
        parallel_for(cpu(context), blocks.count(), [&](int64_t block) {
            const int64_t start = blocks.start(block);
            kernels.forward(constants, from + start, to + start, blocks.rows(block), desc->channels, nullptr);
        });
        return VELU_STATUS_SUCCESS;
    });
}

velu_status velu_backward(DeviceContext* context, const velu_velu_desc* desc, const void* x, const void* dy,
                          const float* lambda, const float* moments, void* dx, float* dlambda) {
    return guarded(context, [&]() -> velu_status {
        const double elements = static_cast<double>(desc->rows) * static_cast<double>(desc->channels);
        const VeluConstants constants = backward_constants(desc->params, lambda, desc->w2_weight, moments, elements);
        const RowBlocks blocks(desc->rows, desc->channels);
        const int64_t channels = desc->channels;
        const auto* from = static_cast<const float*>(x);
        const auto* upstream = static_cast<const float*>(dy);
        auto* gradient = static_cast<float*>(dx);
        if (constants.w2 && !math::float32_gradient_suffices(desc->params, desc->w2_weight, moments, elements)) {
            const Moments all = float64_moments(cpu(context), desc->params, blocks, channels, from);
            const math::W2Gradient w2 = math::float64_w2_gradient(desc->w2_weight, all);
            for_blocks(cpu(context), blocks, dlambda, [&](int64_t block, double* part) {
                const int64_t start = blocks.start(block);
                velu_float64_backward(desc->params, constants.lambda, w2, from + start, upstream + start,
                                      gradient + start, blocks.rows(block), channels, part);
            });
            return VELU_STATUS_SUCCESS;
        }
        const VeluKernels& kernels = velu_kernels(cpu(context).isa);
        for_blocks(cpu(context), blocks, dlambda, [&](int64_t block, double* part) {
            const int64_t start = blocks.start(block);
            kernels.backward(constants, from + start, upstream + start, gradient + start, blocks.rows(block), channels,
                             part);
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
