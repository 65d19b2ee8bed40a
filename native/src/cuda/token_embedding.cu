// Class token and position embedding. A thread keeps one pack of an image's tokens and walks through the batch, so that
// the embedding, and its gradient's sum, is in registers.
#include "cuda/elementwise.cuh"
#include "cuda/operations.h"
#include "cuda/slice_sum.h"

namespace velu::cuda {
namespace {

constexpr int kThreads = 256;

/// Sizes, and the images cut into slices: image n belongs to slice n % slices.
struct Tokens {
    int64_t batch, patches, channels;
    int64_t slices;

    __host__ __device__ int64_t tokens() const { return (patches + 1) * channels; }  // elements of an image of y
    __host__ __device__ int64_t pixels() const { return patches * channels; }        // elements of an image of x
};

/// Slices only as far as the tokens of one image leave the device idle.
Tokens tokens_of(const Context& context, const velu_token_embedding_desc& desc, int width) {
    Tokens tokens{desc.batch, desc.patches, desc.channels, 1};
    const int64_t packs = tokens.tokens() / width;
    const int64_t wanted = int64_t{context.multiprocessors} * 8 * kThreads / packs;
    tokens.slices = std::clamp<int64_t>(wanted, 1, desc.batch);
    return tokens;
}

/// Reads and writes an element each and the embedding once per slice; 3 instructions: limited by memory.
template <int N, class T>
__global__ void __launch_bounds__(kThreads)
    token_embedding_forward_kernel(Tokens tokens, const T* __restrict__ x, const float* __restrict__ class_token,
                                   const float* __restrict__ position, T* __restrict__ y) {
    const int64_t packs = tokens.tokens() / N;
    for (int64_t i = thread_index(); i < packs * tokens.slices; i += thread_count()) {
        const int64_t slice = i / packs;
        const int64_t at = (i - slice * packs) * N;
        const bool is_class = at < tokens.channels;
        float embedding[N];
#pragma unroll
        for (int j = 0; j < N; ++j) embedding[j] = position[at + j] + (is_class ? class_token[at + j] : 0.0f);
        const T* patch = x + at - tokens.channels;
        for (int64_t image = slice; image < tokens.batch; image += tokens.slices) {
            float value[N] = {};
            if (!is_class) load(patch + image * tokens.pixels(), value);
#pragma unroll
            for (int j = 0; j < N; ++j) value[j] += embedding[j];
            store(value, y + image * tokens.tokens() + at);
        }
    }
}

/// dx, and partial[slice][token][channel] = sums of dy over the slice's images: 16 at a time in float32, these in
/// float64. Reads and writes an element each, 3 instructions: limited by memory.
template <int N, class T>
__global__ void __launch_bounds__(kThreads, 3)
    token_embedding_backward_kernel(Tokens tokens, const T* __restrict__ dy, T* __restrict__ dx,
                                    float* __restrict__ partial) {
    const int64_t packs = tokens.tokens() / N;
    for (int64_t i = thread_index(); i < packs * tokens.slices; i += thread_count()) {
        const int64_t slice = i / packs;
        const int64_t at = (i - slice * packs) * N;
        const bool is_class = at < tokens.channels;
        T* const patch = dx + at - tokens.channels;
        double total[N] = {};
        constexpr int kRun = 16;
        for (int64_t start = slice; start < tokens.batch; start += kRun * tokens.slices) {
            float sum[N] = {};
#pragma unroll 4
            for (int of_run = 0; of_run < kRun; ++of_run) {
                const int64_t image = start + of_run * tokens.slices;
                if (image >= tokens.batch) break;
                float gradient[N];
                load(dy + image * tokens.tokens() + at, gradient);
                if (!is_class) store(gradient, patch + image * tokens.pixels());
#pragma unroll
                for (int j = 0; j < N; ++j) sum[j] += gradient[j];
            }
#pragma unroll
            for (int j = 0; j < N; ++j) total[j] += static_cast<double>(sum[j]);
        }
#pragma unroll
        for (int j = 0; j < N; ++j) partial[slice * tokens.tokens() + at + j] = static_cast<float>(total[j]);
    }
}

/// Calls body(T{}, Width<N>{}, tokens, blocks) with as wide packs as channels and pointers allow.
template <class Body>
void with_tokens(const Context& context, const velu_token_embedding_desc& desc, bool aligned, const Body& body) {
    with_element_type(desc.dtype, [&](auto element) {
        using T = decltype(element);
        const auto run = [&](auto width) {
            constexpr int kWidth = decltype(width)::value;
            const Tokens tokens = tokens_of(context, desc, kWidth);
            body(element, width, tokens, grid_for(context, tokens.tokens() / kWidth * tokens.slices, kThreads));
        };
        if (aligned && desc.channels % kPackSize<T> == 0) {
            run(Width<kPackSize<T>>{});
        } else {
            run(Width<1>{});
        }
    });
}

}  // namespace

velu_status token_embedding_forward(DeviceContext* context, const velu_token_embedding_desc* desc, const void* x,
                                    const float* class_token, const float* position, void* y) {
    return guarded(context, [&](Context& device) {
        with_tokens(device, *desc, aligned_to_16(x, y),
                    [&](auto element, auto width, const Tokens& tokens, unsigned blocks) {
                        using T = decltype(element);
                        launch(device, token_embedding_forward_kernel<decltype(width)::value, T>, blocks, kThreads,
                               tokens, static_cast<const T*>(x), class_token, position, static_cast<T*>(y));
                    });
    });
}

velu_status token_embedding_backward(DeviceContext* context, const velu_token_embedding_desc* desc, const void* dy,
                                     void* dx, float* dclass_token, float* dposition) {
    return guarded(context, [&](Context& device) {
        with_tokens(
            device, *desc, aligned_to_16(dy, dx), [&](auto element, auto width, const Tokens& tokens, unsigned blocks) {
                using T = decltype(element);
                float* partial = dposition;
                if (tokens.slices > 1) {
                    partial =
                        device.scratch<float>(static_cast<size_t>(tokens.slices * tokens.tokens()) * sizeof(float));
                }
                launch(device, token_embedding_backward_kernel<decltype(width)::value, T>, blocks, kThreads, tokens,
                       static_cast<const T*>(dy), static_cast<T*>(dx), partial);
                if (tokens.slices > 1) add_slices(device, tokens.tokens(), tokens.slices, partial, dposition);
            });
        // The class token goes where position 0 goes.
        check(cudaMemcpyAsync(dclass_token, dposition, static_cast<size_t>(desc->channels) * sizeof(float),
                              cudaMemcpyDeviceToDevice, device.compute()),
              "cudaMemcpyAsync");
    });
}

}  // namespace velu::cuda
