// Dropout. The mask is computed from counters wherever it is needed and never stored, so forward and backward are the
// same function.
#include "cuda/channel_lanes.cuh"
#include "cuda/elementwise.cuh"
#include "cuda/operations.h"
#include "math/philox.h"

#include <cmath>

namespace velu::cuda {
namespace {

struct DropoutMask {
    uint64_t seed;
    uint32_t stream;
    uint32_t threshold;  // elements whose word is at least this are kept
    float scale;         // of the kept elements
};

// Reads and writes an element each. A Philox block serves four elements: 20 multiplications to 64 bits and as many
// three-way xors, about 20 instructions per element of a budget of 55 (27 for bfloat16); limited by memory, for
// bfloat16 just so. The step is read on the device: a recorded graph sees the step of each of its runs.
template <int N, class T>
__global__ void __launch_bounds__(kElementwiseThreads)
    dropout_kernel(DropoutMask mask, const int64_t* step, const T* x, T* y, int64_t count) {
    static_assert(N == 1 || N % 4 == 0, "a Philox block belongs to one thread");
    const uint64_t now = static_cast<uint64_t>(*step);
    // A dropped element is 0 even where x is NaN or infinite.
    const auto dropped = [&](float value, uint32_t word) { return word >= mask.threshold ? value * mask.scale : 0.0f; };
    for_each_pack<N>(count, [&](int64_t i, auto width) {
        const uint64_t first_block = static_cast<uint64_t>(i) / 4;
        float value[width.value];
        load(x + i, value);
        if constexpr (width.value == 1) {
            const PhiloxBlock block = dropout_block(mask.seed, mask.stream, now, first_block);
            const uint32_t low = (i & 1) != 0 ? block.word[1] : block.word[0];
            const uint32_t high = (i & 1) != 0 ? block.word[3] : block.word[2];
            value[0] = dropped(value[0], (i & 2) != 0 ? high : low);
        } else {
#pragma unroll
            for (int part = 0; part < width.value / 4; ++part) {
                const PhiloxBlock block =
                    dropout_block(mask.seed, mask.stream, now, first_block + static_cast<uint64_t>(part));
#pragma unroll
                for (int j = 0; j < 4; ++j) value[part * 4 + j] = dropped(value[part * 4 + j], block.word[j]);
            }
        }
        store(value, y + i);
    });
}

// Groups of elements that share one decision, e.g. images: word index / group of the words above. N divides group, so a
// pack has one decision; what is dropped is not read. A Philox block of 100 instructions and a division of 25 per pack:
// 31 per element for float32 and 16 for bfloat16; limited by memory.
template <int N, class T>
__global__ void __launch_bounds__(kElementwiseThreads)
    group_dropout_kernel(DropoutMask mask, const int64_t* step, int64_t group, const T* x, T* y, int64_t count) {
    const uint64_t now = static_cast<uint64_t>(*step);
    for (int64_t i = thread_index() * N; i < count; i += thread_count() * N) {
        const auto decision = static_cast<uint64_t>(quotient(i, group));
        const PhiloxBlock block = dropout_block(mask.seed, mask.stream, now, decision / 4);
        const uint32_t low = (decision & 1) != 0 ? block.word[1] : block.word[0];
        const uint32_t high = (decision & 1) != 0 ? block.word[3] : block.word[2];
        float value[N] = {};
        if (((decision & 2) != 0 ? high : low) >= mask.threshold) {
            load(x + i, value);
#pragma unroll
            for (int j = 0; j < N; ++j) value[j] *= mask.scale;
        }
        store(value, y + i);
    }
}

void dropout(Context& context, const velu_dropout_desc& desc, const int64_t* step, const void* x, void* y) {
    const double probability = static_cast<double>(desc.probability);
    const DropoutMask mask = {
        .seed = desc.seed,
        .stream = desc.stream,
        // The largest float32 below 1 is 1 - 2^-24, so this is below 2^32.
        .threshold = static_cast<uint32_t>(std::nearbyint(probability * 0x1p32)),
        .scale = static_cast<float>(1.0 / (1.0 - probability)),
    };
    with_element_type(desc.dtype, [&](auto element) {
        using T = decltype(element);
        constexpr int kPack = kPackSize<T>;
        const bool aligned = aligned_to_16(x, y);
        if (desc.group > 1) {
            const bool packed = aligned && desc.group % kPack == 0;
            launch(context, packed ? group_dropout_kernel<kPack, T> : group_dropout_kernel<1, T>,
                   elementwise_blocks(context, desc.count, packed ? kPack : 1), kElementwiseThreads, mask, step,
                   desc.group, static_cast<const T*>(x), static_cast<T*>(y), desc.count);
            return;
        }
        launch(context, aligned ? dropout_kernel<kPack, T> : dropout_kernel<1, T>,
               elementwise_blocks(context, desc.count, aligned ? kPack : 1), kElementwiseThreads, mask, step,
               static_cast<const T*>(x), static_cast<T*>(y), desc.count);
    });
}

}  // namespace

velu_status dropout_forward(DeviceContext* context, const velu_dropout_desc* desc, const int64_t* step, const void* x,
                            void* y) {
    return guarded(context, [&](Context& device) { dropout(device, *desc, step, x, y); });
}

velu_status dropout_backward(DeviceContext* context, const velu_dropout_desc* desc, const int64_t* step, const void* dy,
                             void* dx) {
    return guarded(context, [&](Context& device) { dropout(device, *desc, step, dy, dx); });
}

}  // namespace velu::cuda
