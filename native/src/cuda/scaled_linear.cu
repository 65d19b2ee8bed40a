// Linear layer over the channels of scaled images, of the kernels of channel_scale and the implementations of linear.
//
// A scale inside the load of a product would keep it from the tensor cores of cuBLASLt, so a chunk of images is scaled
// into scratch memory and multiplied there: x is read, written and read again instead of read once, the last two in the
// L2 cache as far as a chunk fits it. The gradient of the data needs no chunk: dy weight is put where dx will be, and
// scaled there.
//
// What is scaled is rounded to the dtype once more than if it never left the registers, as it is by the two layers that
// this one stands for.
#include "cuda/scaled_linear.h"

#include "cuda/channel_scale.h"
#include "cuda/element.cuh"
#include "cuda/elementwise.cuh"
#include "cuda/linear.h"
#include "cuda/operations.h"

namespace velu::cuda {
namespace {

/// Bytes of a chunk for each multiprocessor: enough tiles of a product to keep it busy, about 64 MB on a large device.
constexpr int64_t kChunkBytes = int64_t{512} << 10;

/// Images of all chunks but the last, which may have fewer.
struct Chunks {
    int64_t images;
    int64_t count;
};

int64_t element_size(const velu_scaled_linear_desc& desc) {
    return desc.dtype == VELU_DTYPE_BF16 ? 2 : 4;
}

Chunks chunks_of(const Context& context, const velu_scaled_linear_desc& desc) {
    const int64_t image_bytes = desc.pixels * desc.in_features * element_size(desc);
    const int64_t most = std::clamp<int64_t>(kChunkBytes * context.multiprocessors / image_bytes, 1, desc.batch);
    const int64_t count = (desc.batch + most - 1) / most;
    return {(desc.batch + count - 1) / count, count};
}

velu_linear_desc linear_of(const velu_scaled_linear_desc& desc, int64_t images) {
    velu_linear_desc linear = {};
    linear.device = desc.device;
    linear.dtype = desc.dtype;
    linear.rows = images * desc.pixels;
    linear.in_features = desc.in_features;
    linear.out_features = desc.out_features;
    linear.activation = VELU_ACTIVATION_IDENTITY;
    return linear;
}

velu_channel_scale_desc scale_of(const velu_scaled_linear_desc& desc, int64_t images) {
    return {desc.device, desc.dtype, images, desc.pixels, desc.in_features};
}

/// Throws what an entry of another operation failed with.
void require(Context& context, velu_status status) {
    if (status != VELU_STATUS_SUCCESS) throw Failure(status, context.message);
}

/// Scratch memory of the passes that scale: a chunk of scaled images, the gradient of one chunk if others were before
/// it, and what the product needs.
struct Scratch {
    size_t scaled;
    size_t gradient;
    size_t product;

    size_t bytes() const { return scaled + gradient + product; }
};

/// body(first image, images) for every chunk.
template <class Body>
void for_each_chunk(const Chunks& chunks, int64_t batch, const Body& body) {
    for (int64_t first = 0; first < batch; first += chunks.images) body(first, std::min(chunks.images, batch - first));
}

/// `aligned(first)`: whether what the chunk's product works on is aligned to 16 bytes.
template <class Aligned>
Scratch scratch_of(Context& context, const velu_scaled_linear_desc& desc, int32_t pass, const Chunks& chunks,
                   const Aligned& aligned) {
    Scratch scratch = {};
    scratch.scaled = padded(static_cast<size_t>(chunks.images * desc.pixels * desc.in_features * element_size(desc)));
    if (pass == VELU_PASS_BACKWARD_WEIGHTS && chunks.count > 1) {
        scratch.gradient = padded(static_cast<size_t>(desc.out_features * desc.in_features) * sizeof(float));
    }
    for_each_chunk(chunks, desc.batch, [&](int64_t first, int64_t images) {
        const Plan& plan = linear_plan(context, linear_of(desc, images), pass, aligned(first));
        scratch.product = std::max(scratch.product, plan.workspace);
    });
    return scratch;
}

/// Scales the images of a chunk; x, scale: of the whole batch.
void scale_chunk(Context& context, const velu_scaled_linear_desc& desc, int64_t first, int64_t images, const void* x,
                 const void* scale, void* scaled) {
    const velu_channel_scale_desc of_chunk = scale_of(desc, images);
    const int64_t element = element_size(desc);
    require(context,
            channel_scale_forward(&context, &of_chunk,
                                  static_cast<const char*>(x) + first * desc.pixels * desc.in_features * element,
                                  static_cast<const char*>(scale) + first * desc.in_features * element, scaled));
}

struct Add {
    static __device__ __forceinline__ float value(float a, float b) { return a + b; }
};

}  // namespace

std::string scaled_linear_impl(Context& context, const velu_scaled_linear_desc& desc, int32_t pass) {
    if (desc.batch == 0) return "cuda";
    const int64_t images = pass == VELU_PASS_BACKWARD_DATA ? desc.batch : chunks_of(context, desc).images;
    return linear_plan(context, linear_of(desc, images), pass, true).name;
}

velu_status scaled_linear_prepare(DeviceContext* context, const velu_scaled_linear_desc* desc, int32_t pass) {
    return guarded(context, [&](Context& ctx) {
        if (pass == VELU_PASS_BACKWARD_DATA) {
            const size_t product = linear_plan(ctx, linear_of(*desc, desc->batch), pass, true).workspace;
            ctx.scratch(std::max(product, channel_scale_workspace(ctx, scale_of(*desc, desc->batch))));
            return;
        }
        const Chunks chunks = chunks_of(ctx, *desc);
        ctx.scratch(scratch_of(ctx, *desc, pass, chunks, [](int64_t /*first*/) { return true; }).bytes());
    });
}

velu_status scaled_linear_forward(DeviceContext* context, const velu_scaled_linear_desc* desc, const void* x,
                                  const void* scale, const void* weight, void* y) {
    return guarded(context, [&](Context& ctx) {
        const Chunks chunks = chunks_of(ctx, *desc);
        const int64_t y_image = desc->pixels * desc->out_features * element_size(*desc);
        const auto y_of = [&](int64_t first) { return static_cast<char*>(y) + first * y_image; };
        const auto aligned = [&](int64_t first) { return aligned_to_16(weight, y_of(first)); };
        const Scratch scratch = scratch_of(ctx, *desc, VELU_PASS_FORWARD, chunks, aligned);
        char* const scaled = ctx.scratch<char>(scratch.bytes());
        for_each_chunk(chunks, desc->batch, [&](int64_t first, int64_t images) {
            scale_chunk(ctx, *desc, first, images, x, scale, scaled);
            const Plan& plan = linear_plan(ctx, linear_of(*desc, images), VELU_PASS_FORWARD, aligned(first));
            plan.run(ctx, {scaled, weight, y_of(first), nullptr}, scaled + scratch.scaled);
        });
    });
}

velu_status scaled_linear_backward_data(DeviceContext* context, const velu_scaled_linear_desc* desc, const void* x,
                                        const void* scale, const void* dy, const void* weight, void* dx, void* dscale) {
    return guarded(context, [&](Context& ctx) {
        const velu_linear_desc linear = linear_of(*desc, desc->batch);
        require(ctx, linear_backward_data(context, &linear, dy, weight, dx));
        const velu_channel_scale_desc of_batch = scale_of(*desc, desc->batch);
        require(ctx, channel_scale_backward(context, &of_batch, x, scale, dx, dx, dscale));
    });
}

/// The chunks' gradients are added in float32, one after the other: there are few.
velu_status scaled_linear_backward_weights(DeviceContext* context, const velu_scaled_linear_desc* desc, const void* x,
                                           const void* scale, const void* dy, float* dweight) {
    return guarded(context, [&](Context& ctx) {
        constexpr int32_t kPass = VELU_PASS_BACKWARD_WEIGHTS;
        const Chunks chunks = chunks_of(ctx, *desc);
        const int64_t dy_image = desc->pixels * desc->out_features * element_size(*desc);
        const auto dy_of = [&](int64_t first) { return static_cast<const char*>(dy) + first * dy_image; };
        const auto aligned = [&](int64_t first) {
            return first == 0 ? aligned_to_16(dy, dweight) : aligned_to_16(dy_of(first));
        };
        const Scratch scratch = scratch_of(ctx, *desc, kPass, chunks, aligned);
        char* const scaled = ctx.scratch<char>(scratch.bytes());
        auto* const of_chunk = reinterpret_cast<float*>(scaled + scratch.scaled);
        for_each_chunk(chunks, desc->batch, [&](int64_t first, int64_t images) {
            scale_chunk(ctx, *desc, first, images, x, scale, scaled);
            const Plan& plan = linear_plan(ctx, linear_of(*desc, images), kPass, aligned(first));
            float* const gradient = first == 0 ? dweight : of_chunk;
            plan.run(ctx, {scaled, dy_of(first), gradient, nullptr}, scaled + scratch.scaled + scratch.gradient);
            if (first > 0) binary<Add, float>(ctx, dweight, of_chunk, dweight, desc->out_features * desc->in_features);
        });
    });
}

}  // namespace velu::cuda
