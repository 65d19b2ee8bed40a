// VeLU and its gradient: blocks of rows, each read and written once, in parallel; sums of blocks are joined in order.
// Blocks and tensors that float32 cannot resolve are done again in float64: math/velu_float64.h.
#include <algorithm>
#include <cstring>

#include "cpu/context.h"
#include "cpu/element.h"
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

int64_t lane_count(const Context& context, const RowBlocks& blocks) {
    return std::clamp<int64_t>(context.threads, 1, blocks.count());
}

/// body(lane, block) for all blocks. A lane's blocks follow each other in memory and are done one after the other;
/// there are at most as many lanes as threads.
template <class Body>
void for_each_block(const Context& context, const RowBlocks& blocks, const Body& body) {
    const int64_t lanes = lane_count(context, blocks);
    parallel_for(context, lanes, [&](int64_t lane) {
        const int64_t end = (lane + 1) * blocks.count() / lanes;
        for (int64_t block = lane * blocks.count() / lanes; block < end; ++block) body(lane, block);
    });
}

/// Scratch memory: `parts` of a reduction, one per block, then `count` elements for each lane.
template <class Part, class Element>
struct Scratch {
    Part* parts;
    Element* elements;
    int64_t count;

    Scratch(Context& context, const RowBlocks& blocks, int64_t part_count, int64_t elements_of_lane)
        : count(elements_of_lane) {
        const size_t bytes_of_parts = (static_cast<size_t>(part_count) * sizeof(Part) + 63) / 64 * 64;
        const auto all_elements = static_cast<size_t>(lane_count(context, blocks) * count);
        auto* memory =
            static_cast<unsigned char*>(context.workspace.reserve(bytes_of_parts + all_elements * sizeof(Element)));
        parts = reinterpret_cast<Part*>(memory);
        elements = reinterpret_cast<Element*>(memory + bytes_of_parts);
    }
    Element* of_lane(int64_t lane) const { return count == 0 ? nullptr : elements + lane * count; }
};

/// Forward with moments. Where y overwrites x, a block is kept until it is known that float32 has given its moments.
template <class T>
Moments forward_with_moments(Context& context, const VeluConstants& constants, const RowBlocks& blocks,
                             int64_t channels, const T* x, T* y) {
    const VeluKernels<T>& kernels = velu_kernels(context.isa).of<T>();
    const bool in_place = x == y;
    const Scratch<Moments, T> scratch(context, blocks, blocks.count(), in_place ? blocks.size() : 0);
    for_each_block(context, blocks, [&](int64_t lane, int64_t block) {
        const int64_t rows = blocks.rows(block);
        const T* from = x + blocks.start(block);
        if (in_place) {
            T* copy = scratch.of_lane(lane);
            std::memcpy(copy, from, static_cast<size_t>(rows * channels) * sizeof(T));
            from = copy;
        }
        Moments& part = scratch.parts[block];
        kernels.forward(constants, from, y + blocks.start(block), rows, channels, &part);
        if (!math::float32_moments_suffice(part)) part = velu_float64_moments(constants.params, from, rows, channels);
    });
    return merge_all(scratch.parts, blocks.count());
}

/// Mean and std of A over the whole tensor, from x.
template <class T>
Moments float64_moments(Context& context, const velu_velu_params& params, const RowBlocks& blocks, int64_t channels,
                        const T* x) {
    const Scratch<Moments, T> scratch(context, blocks, blocks.count(), 0);
    for_each_block(context, blocks, [&](int64_t, int64_t block) {
        scratch.parts[block] = velu_float64_moments(params, x + blocks.start(block), blocks.rows(block), channels);
    });
    return merge_all(scratch.parts, blocks.count());
}

/// body(block, its part of dlambda or NULL, floats for a row where T is not float) for every block; then joins the
/// parts.
template <class T, class Body>
void backward_blocks(Context& context, const RowBlocks& blocks, int64_t channels, float* dlambda, const Body& body) {
    const Scratch<double, float> scratch(context, blocks, dlambda == nullptr ? 0 : blocks.count(),
                                         std::is_same_v<T, float> ? 0 : channels);
    for_each_block(context, blocks, [&](int64_t lane, int64_t block) {
        body(block, dlambda == nullptr ? nullptr : scratch.parts + block, scratch.of_lane(lane));
    });
    if (dlambda == nullptr) return;
    double sum = 0;
    for (int64_t block = 0; block < blocks.count(); ++block) sum += scratch.parts[block];
    *dlambda = static_cast<float>(sum);
}

template <class T>
void forward(Context& context, const velu_velu_desc& desc, const T* x, const float* lambda, T* y, float* moments) {
    const VeluConstants constants = forward_constants(context, desc.params, lambda);
    const RowBlocks blocks(desc.rows, desc.channels);
    if (moments != nullptr) {
        store_moments(forward_with_moments(context, constants, blocks, desc.channels, x, y), moments);
        return;
    }
    const VeluKernels<T>& kernels = velu_kernels(context.isa).of<T>();
    for_each_block(context, blocks, [&](int64_t, int64_t block) {
        const int64_t start = blocks.start(block);
        kernels.forward(constants, x + start, y + start, blocks.rows(block), desc.channels, nullptr);
    });
}

template <class T>
void backward(Context& context, const velu_velu_desc& desc, const T* x, const T* dy, const float* lambda,
              const float* moments, T* dx, float* dlambda) {
    const int64_t channels = desc.channels;
    const double elements = static_cast<double>(desc.rows) * static_cast<double>(channels);
    const VeluConstants constants = backward_constants(context, desc.params, lambda, desc.w2_weight, moments, elements);
    const RowBlocks blocks(desc.rows, channels);
    if (constants.w2 && !math::float32_gradient_suffices(desc.params, desc.w2_weight, moments, elements)) {
        const Moments all = float64_moments(context, desc.params, blocks, channels, x);
        const math::W2Gradient w2 = math::float64_w2_gradient(desc.w2_weight, all);
        backward_blocks<T>(context, blocks, channels, dlambda, [&](int64_t block, double* part, float* row) {
            const int64_t start = blocks.start(block);
            velu_float64_backward(desc.params, constants.lambda, w2, x + start, dy + start, dx + start,
                                  blocks.rows(block), channels, part, row);
        });
        return;
    }
    const VeluKernels<T>& kernels = velu_kernels(context.isa).of<T>();
    backward_blocks<T>(context, blocks, channels, dlambda, [&](int64_t block, double* part, float* row) {
        const int64_t start = blocks.start(block);
        kernels.backward(constants, x + start, dy + start, dx + start, blocks.rows(block), channels, part, row);
    });
}

}  // namespace

velu_status velu_forward(DeviceContext* context, const velu_velu_desc* desc, const void* x, const float* lambda,
                         void* y, float* moments) {
    return guarded(context, [&]() -> velu_status {
        with_element(desc->dtype, [&](auto element) {
            using T = decltype(element);
            forward(cpu(context), *desc, static_cast<const T*>(x), lambda, static_cast<T*>(y), moments);
        });
        return VELU_STATUS_SUCCESS;
    });
}

velu_status velu_backward(DeviceContext* context, const velu_velu_desc* desc, const void* x, const void* dy,
                          const float* lambda, const float* moments, void* dx, float* dlambda) {
    return guarded(context, [&]() -> velu_status {
        with_element(desc->dtype, [&](auto element) {
            using T = decltype(element);
            backward(cpu(context), *desc, static_cast<const T*>(x), static_cast<const T*>(dy), lambda, moments,
                     static_cast<T*>(dx), dlambda);
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
