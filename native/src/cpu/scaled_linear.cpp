// Linear layer over the channels of scaled images, by chunks of rows that stay in the processor's caches: what is
// scaled, and the gradient before scaling, exist one chunk at a time. The products are those of linear.cpp.
#include <algorithm>

#include "cpu/context.h"
#include "cpu/dnnl_state.h"
#include "cpu/isa/channel_scale_kernels.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

/// Elements of a chunk per thread: 512 KiB, which leave room for the other operands in the second cache level.
constexpr int64_t kChunkPerThread = 1 << 17;

/// But rows enough per thread that a large weight is not fetched for few of them again and again.
constexpr int64_t kRowsPerThread = 200;

/// Pixels whose share of a scale's gradient is summed at once; chunks that divide an image are whole multiples.
constexpr int64_t kPixelsPerPart = 256;

constexpr int64_t divide_up(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/// Whole images, or some pixels of one.
struct Chunk {
    int64_t image;
    int64_t images;
    int64_t pixel;
    int64_t pixels;

    int64_t rows() const { return images * pixels; }
};

/// The division of all rows into chunks.
class Chunks {
public:
    Chunks(const Context& context, const velu_scaled_linear_desc& desc) : batch_(desc.batch), pixels_(desc.pixels) {
        const int64_t rows = std::max(kRowsPerThread, kChunkPerThread / desc.in_features) * context.threads;
        // Chunks of about the same size, so that no last one is too small for all threads.
        images_ = divide_up(batch_, divide_up(batch_, std::clamp<int64_t>(rows / pixels_, 1, batch_)));
        const int64_t parts = divide_up(pixels_, kPixelsPerPart);
        const int64_t parts_per_chunk = rows >= pixels_ ? parts : std::max<int64_t>(1, rows / kPixelsPerPart);
        pixels_per_chunk_ = divide_up(parts, divide_up(parts, parts_per_chunk)) * kPixelsPerPart;
        pixels_per_chunk_ = std::min(pixels_per_chunk_, pixels_);
        per_image_ = divide_up(pixels_, pixels_per_chunk_);
    }

    int64_t count() const { return divide_up(batch_, images_) * per_image_; }

    Chunk operator[](int64_t index) const {
        const int64_t image = index / per_image_ * images_;
        const int64_t pixel = index % per_image_ * pixels_per_chunk_;
        return {image, std::min(images_, batch_ - image), pixel, std::min(pixels_per_chunk_, pixels_ - pixel)};
    }

    /// Of the first chunk, which is the largest.
    int64_t rows() const { return (*this)[0].rows(); }

private:
    int64_t batch_;
    int64_t pixels_;
    int64_t images_;
    int64_t pixels_per_chunk_;
    int64_t per_image_;
};

/// dweight += dy^T (x scale).
DnnlPlan make_accumulation(const DnnlState& state, const velu_scaled_linear_desc& d, int64_t rows) {
    using dnnl::memory;
    using Layout = dnnl::memory::desc;
    const auto type = dnnl_type(d.dtype);
    const Layout x({rows, d.in_features}, type, memory::dims{d.in_features, 1});
    const Layout y_transposed({d.out_features, rows}, type, memory::dims{1, d.out_features});
    const Layout dweight({d.out_features, d.in_features}, memory::data_type::f32, memory::dims{d.in_features, 1});
    dnnl::primitive_attr attributes = DnnlState::make_attributes();
    dnnl::post_ops sum;
    sum.append_sum();
    attributes.set_post_ops(sum);
    return make_plan(state, dnnl::matmul::primitive_desc(state.engine, y_transposed, x, dweight, attributes),
                     {{DNNL_ARG_WEIGHTS, x}, {DNNL_ARG_SRC, y_transposed}, {DNNL_ARG_DST, dweight, true}});
}

/// The product of one chunk.
const DnnlPlan& chunk_plan(Context& context, const velu_scaled_linear_desc& d, int32_t pass, int64_t rows,
                           bool accumulate) {
    const velu_linear_desc linear = {d.device, d.dtype, rows, d.in_features, d.out_features, VELU_ACTIVATION_IDENTITY,
                                     0};
    // What oneDNN cannot count is refused there.
    const DnnlPlan& plan = linear_plan(context, linear, pass, false);
    if (!accumulate || plan.status != VELU_STATUS_SUCCESS) return plan;
    const DnnlKey key = {'s', pass, 0, rows, d.in_features, d.out_features, d.dtype};
    return find_plan(context, key, [&] { return make_accumulation(*context.dnnl, d, rows); });
}

size_t element_size(const velu_scaled_linear_desc& desc) {
    return desc.dtype == VELU_DTYPE_BF16 ? sizeof(BFloat16) : sizeof(float);
}

int64_t parts_per_image(const velu_scaled_linear_desc& desc) {
    return divide_up(desc.pixels, kPixelsPerPart);
}

/// The workspace of a pass: what oneDNN needs, a chunk, and the parts of the scale's gradient.
struct Scratch {
    void* dnnl;
    void* chunk;  // of the descriptor's dtype
    double* parts;
};

/// Also builds the plans.
velu_status reserve(DeviceContext* context, const velu_scaled_linear_desc& desc, int32_t pass, const Chunks& chunks,
                    Scratch* scratch) {
    size_t dnnl_bytes = 0;
    const int64_t last = chunks.count() - 1;
    // Only the last chunk may differ from the first, and only the first does not accumulate.
    for (const int64_t index : {int64_t{0}, std::min<int64_t>(1, last), last}) {
        const bool accumulate = pass == VELU_PASS_BACKWARD_WEIGHTS && index > 0;
        const DnnlPlan& plan = chunk_plan(cpu(context), desc, pass, chunks[index].rows(), accumulate);
        if (plan.status != VELU_STATUS_SUCCESS) return context->fail(plan.status, "%s", plan.message.c_str());
        dnnl_bytes = std::max(dnnl_bytes, plan.workspace);
    }
    const auto line_up = [](size_t bytes) { return (bytes + 63) / 64 * 64; };
    const size_t parts_start =
        line_up(dnnl_bytes) + line_up(static_cast<size_t>(chunks.rows() * desc.in_features) * element_size(desc));
    const int64_t parts = pass == VELU_PASS_BACKWARD_DATA ? desc.batch * parts_per_image(desc) * desc.in_features : 0;
    auto* base = static_cast<unsigned char*>(
        cpu(context).workspace.reserve(parts_start + static_cast<size_t>(parts) * sizeof(double)));
    *scratch = {base, base + line_up(dnnl_bytes), reinterpret_cast<double*>(base + parts_start)};
    return VELU_STATUS_SUCCESS;
}

/// to = x * scale for the rows of a chunk, stored from `to` on.
template <class T>
void scale_chunk(const Context& context, const velu_scaled_linear_desc& desc, const Chunk& chunk, const T* x,
                 const T* scale, T* to) {
    const ChannelScaleKernels<T>& kernels = channel_scale_kernels(context.isa).of<T>();
    const int64_t channels = desc.in_features;
    const int64_t pixels_per_block = std::clamp<int64_t>(16384 / channels, 1, chunk.pixels);
    const int64_t blocks = divide_up(chunk.pixels, pixels_per_block);
    parallel_for(context, chunk.images * blocks, [&](int64_t task) {
        const int64_t image = task / blocks;
        const int64_t pixel = task % blocks * pixels_per_block;
        const int64_t row = (chunk.image + image) * desc.pixels + chunk.pixel + pixel;
        kernels.forward(x + row * channels, scale + (chunk.image + image) * channels,
                        to + (image * chunk.pixels + pixel) * channels,
                        std::min(pixels_per_block, chunk.pixels - pixel), channels);
    });
}

/// With dz = dy weight of a chunk: dx = dz * scale, and the parts of dscale = sum of dz * x.
template <class T>
void scale_chunk_gradient(const Context& context, const velu_scaled_linear_desc& desc, const Chunk& chunk, const T* x,
                          const T* scale, const T* dz, T* dx, double* all_parts) {
    const ChannelScaleKernels<T>& kernels = channel_scale_kernels(context.isa).of<T>();
    const int64_t channels = desc.in_features;
    const int64_t parts = divide_up(chunk.pixels, kPixelsPerPart);
    const int64_t groups = divide_up(channels, kChannelScaleChannels);
    parallel_for(context, chunk.images * parts * groups, [&](int64_t task) {
        const int64_t channel = task % groups * kChannelScaleChannels;
        const int64_t pixel = task / groups % parts * kPixelsPerPart;
        const int64_t local_image = task / groups / parts;
        const int64_t image = chunk.image + local_image;
        const int64_t start = (image * desc.pixels + chunk.pixel + pixel) * channels + channel;
        const int64_t part = image * parts_per_image(desc) + (chunk.pixel + pixel) / kPixelsPerPart;
        kernels.backward(x + start, scale + image * channels + channel,
                         dz + (local_image * chunk.pixels + pixel) * channels + channel,
                         std::min(kPixelsPerPart, chunk.pixels - pixel), channels,
                         std::min(kChannelScaleChannels, channels - channel), dx + start,
                         all_parts + part * channels + channel);
    });
}

/// dscale of every image from its parts, added in their order.
template <class T>
void join(const Context& context, const velu_scaled_linear_desc& desc, const double* all_parts, T* dscale) {
    const int64_t channels = desc.in_features;
    const int64_t parts = parts_per_image(desc);
    parallel_for(context, desc.batch, [&](int64_t image) {
        const double* of_image = all_parts + image * parts * channels;
        for (int64_t channel = 0; channel < channels; ++channel) {
            double sum = 0;
            for (int64_t part = 0; part < parts; ++part) sum += of_image[part * channels + channel];
            put(static_cast<float>(sum), dscale + image * channels + channel);
        }
    });
}

/// body(chunk, its plan, its first row) for all chunks, up to one that fails.
template <class Body>
velu_status for_chunks(Context& context, const velu_scaled_linear_desc& desc, int32_t pass, const Chunks& chunks,
                       const Body& body) {
    for (int64_t index = 0; index < chunks.count(); ++index) {
        const Chunk chunk = chunks[index];
        const bool accumulate = pass == VELU_PASS_BACKWARD_WEIGHTS && index > 0;
        const DnnlPlan& plan = chunk_plan(context, desc, pass, chunk.rows(), accumulate);
        const velu_status status = body(chunk, plan, chunk.image * desc.pixels + chunk.pixel);
        if (status != VELU_STATUS_SUCCESS) return status;
    }
    return VELU_STATUS_SUCCESS;
}

template <class T>
velu_status forward(Context& context, const velu_scaled_linear_desc& desc, const T* x, const T* scale, const T* weight,
                    T* y) {
    const Chunks chunks(context, desc);
    Scratch scratch;
    const velu_status status = reserve(&context, desc, VELU_PASS_FORWARD, chunks, &scratch);
    if (status != VELU_STATUS_SUCCESS) return status;
    auto* scaled = static_cast<T*>(scratch.chunk);
    return for_chunks(context, desc, VELU_PASS_FORWARD, chunks,
                      [&](const Chunk& chunk, const DnnlPlan& plan, int64_t row) {
                          scale_chunk(context, desc, chunk, x, scale, scaled);
                          return run_plan(context, plan, scratch.dnnl, {scaled, weight, y + row * desc.out_features});
                      });
}

template <class T>
velu_status backward_data(Context& context, const velu_scaled_linear_desc& desc, const T* x, const T* scale,
                          const T* dy, const T* weight, T* dx, T* dscale) {
    const Chunks chunks(context, desc);
    Scratch scratch;
    velu_status status = reserve(&context, desc, VELU_PASS_BACKWARD_DATA, chunks, &scratch);
    if (status != VELU_STATUS_SUCCESS) return status;
    auto* dz = static_cast<T*>(scratch.chunk);
    status = for_chunks(context, desc, VELU_PASS_BACKWARD_DATA, chunks,
                        [&](const Chunk& chunk, const DnnlPlan& plan, int64_t row) {
                            const velu_status product =
                                run_plan(context, plan, scratch.dnnl, {dy + row * desc.out_features, weight, dz});
                            if (product != VELU_STATUS_SUCCESS) return product;
                            scale_chunk_gradient(context, desc, chunk, x, scale, dz, dx, scratch.parts);
                            return product;
                        });
    if (status == VELU_STATUS_SUCCESS) join(context, desc, scratch.parts, dscale);
    return status;
}

template <class T>
velu_status backward_weights(Context& context, const velu_scaled_linear_desc& desc, const T* x, const T* scale,
                             const T* dy, float* dweight) {
    const Chunks chunks(context, desc);
    Scratch scratch;
    const velu_status status = reserve(&context, desc, VELU_PASS_BACKWARD_WEIGHTS, chunks, &scratch);
    if (status != VELU_STATUS_SUCCESS) return status;
    auto* scaled = static_cast<T*>(scratch.chunk);
    return for_chunks(context, desc, VELU_PASS_BACKWARD_WEIGHTS, chunks,
                      [&](const Chunk& chunk, const DnnlPlan& plan, int64_t row) {
                          scale_chunk(context, desc, chunk, x, scale, scaled);
                          return run_plan(context, plan, scratch.dnnl, {scaled, dy + row * desc.out_features, dweight});
                      });
}

}  // namespace

const DnnlPlan& scaled_linear_plan(Context& context, const velu_scaled_linear_desc& desc, int32_t pass) {
    return chunk_plan(context, desc, pass, Chunks(context, desc).rows(), false);
}

velu_status scaled_linear_prepare(DeviceContext* context, const velu_scaled_linear_desc* desc, int32_t pass) {
    return guarded(context, [&] {
        Scratch scratch;
        return reserve(context, *desc, pass, Chunks(cpu(context), *desc), &scratch);
    });
}

velu_status scaled_linear_forward(DeviceContext* context, const velu_scaled_linear_desc* desc, const void* x,
                                  const void* scale, const void* weight, void* y) {
    return guarded(context, [&] {
        return with_element(desc->dtype, [&]<class T>(T) {
            return forward(cpu(context), *desc, static_cast<const T*>(x), static_cast<const T*>(scale),
                           static_cast<const T*>(weight), static_cast<T*>(y));
        });
    });
}

velu_status scaled_linear_backward_data(DeviceContext* context, const velu_scaled_linear_desc* desc, const void* x,
                                        const void* scale, const void* dy, const void* weight, void* dx, void* dscale) {
    return guarded(context, [&] {
        return with_element(desc->dtype, [&]<class T>(T) {
            return backward_data(cpu(context), *desc, static_cast<const T*>(x), static_cast<const T*>(scale),
                                 static_cast<const T*>(dy), static_cast<const T*>(weight), static_cast<T*>(dx),
                                 static_cast<T*>(dscale));
        });
    });
}

velu_status scaled_linear_backward_weights(DeviceContext* context, const velu_scaled_linear_desc* desc, const void* x,
                                           const void* scale, const void* dy, float* dweight) {
    return guarded(context, [&] {
        return with_element(desc->dtype, [&]<class T>(T) {
            return backward_weights(cpu(context), *desc, static_cast<const T*>(x), static_cast<const T*>(scale),
                                    static_cast<const T*>(dy), dweight);
        });
    });
}

}  // namespace velu::cpu
