// Bytes of images to normalized elements, cropped, padded and mirrored on the way. A byte has 256 values, so each
// channel's results are computed once per block, by the CPU's formula and with its bits, and an element is a look-up.
#include "cuda/elementwise.cuh"
#include "cuda/operations.h"

namespace velu::cuda {
namespace {

constexpr int kThreads = 256;

/// (value / 255 - mean) / std in float32, each operation rounded once.
__device__ __forceinline__ float normalized(int value, float mean, float std) {
#ifdef __CUDA_ARCH__
    return __fdiv_rn(__fsub_rn(__fdiv_rn(static_cast<float>(value), 255.0f), mean), std);
#else
    return (static_cast<float>(value) / 255.0f - mean) / std;
#endif
}

// Reads a byte and writes an element; a warp has one row of an output image, its lanes neighbouring packs of elements.
// About 14 instructions per element of a budget of 34 (20 for bfloat16), and a look-up in shared memory, where the
// lanes' random bytes meet in about 3 of 32 banks: 10 TB/s. Limited by memory where rows fill a warp's 32 packs. A
// row's place costs a division.
template <int N, int kChannels, class T>
__global__ void __launch_bounds__(kThreads, 4)
    normalize_image_kernel(velu_normalize_image_desc desc, const uint8_t* __restrict__ x,
                           const int32_t* __restrict__ placement, T* __restrict__ y) {
    __shared__ float table[kChannels * 256];
#pragma unroll
    for (int c = 0; c < kChannels; ++c) {
        for (int value = static_cast<int>(threadIdx.x); value < 256; value += kThreads) {
            table[c * 256 + value] = normalized(value, desc.mean[c], desc.std[c]);
        }
    }
    __syncthreads();

    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int64_t row_size = desc.out_width * kChannels;
    const int64_t lines = desc.batch * desc.out_height;
    for (int64_t line = thread_index() / kWarp; line < lines; line += thread_count() / kWarp) {
        const int64_t image = line / desc.out_height;
        int64_t top = 0;
        int64_t left = 0;
        bool mirrored = false;
        if (placement != nullptr) {
            top = placement[image * 3];
            left = placement[image * 3 + 1];
            mirrored = placement[image * 3 + 2] != 0;
        }
        const int64_t row = top + line - image * desc.out_height;
        const bool row_inside = row >= 0 && row < desc.height;
        const uint8_t* from = x + (image * desc.height + (row_inside ? row : 0)) * desc.width * kChannels;
        const int64_t start = mirrored ? left + desc.out_width - 1 : left;  // column of x at column 0 of y
        const int64_t step = mirrored ? -1 : 1;
        for (int64_t first = int64_t{lane} * N; first < row_size; first += kWarp * N) {
            const int64_t column = first / kChannels;
            int c = static_cast<int>(first - column * kChannels);
            int64_t source = start + step * column;
            float value[N];
#pragma unroll
            for (int j = 0; j < N; ++j) {
                const bool inside = row_inside && source >= 0 && source < desc.width;
                const int pixel = inside ? from[source * kChannels + c] : 0;
                value[j] = table[c * 256 + pixel];
                if (++c == kChannels) {
                    c = 0;
                    source += step;
                }
            }
            store(value, y + line * row_size + first);
        }
    }
}

template <class T>
void normalize(Context& context, const velu_normalize_image_desc& desc, const uint8_t* x, const int32_t* placement,
               T* y) {
    const auto run = [&](auto channels) {
        constexpr int kChannels = decltype(channels)::value;
        const bool packed = aligned_to_16(y) && desc.out_width * kChannels % kPackSize<T> == 0;
        launch(context,
               packed ? normalize_image_kernel<kPackSize<T>, kChannels, T> : normalize_image_kernel<1, kChannels, T>,
               grid_for(context, desc.batch * desc.out_height * kWarp, kThreads), kThreads, desc, x, placement, y);
    };
    switch (desc.channels) {
        case 1:
            return run(Width<1>{});
        case 2:
            return run(Width<2>{});
        case 3:
            return run(Width<3>{});
        case 4:
            return run(Width<4>{});
        default:
            throw Failure(VELU_STATUS_INVALID_ARGUMENT,
                          "channels is " + std::to_string(desc.channels) + "; it must be 1 to 4");
    }
}

}  // namespace

velu_status normalize_image_forward(DeviceContext* context, const velu_normalize_image_desc* desc, const uint8_t* x,
                                    const int32_t* placement, void* y) {
    return guarded(context, [&](Context& device) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            normalize(device, *desc, x, placement, static_cast<T*>(y));
        });
    });
}

}  // namespace velu::cuda
