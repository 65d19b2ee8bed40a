// The passes as products of matrices whose elements are gathered from the images (implicit GEMM), one per group:
//   forward           y[pixel][out]    = sum over (tap, in)  of x[pixel moved by tap][in]  weight[out][tap][in]
//   backward data     dx[pixel][in]    = sum over (tap, out) of dy[pixel moved by tap][out] weight[out][tap][in]
//   backward weights  dw[out][tap, in] = sum over pixel      of dy[pixel][out]              x[pixel moved by tap][in]
#include "cuda/conv2d_reference.h"

#include "cuda/conv2d_geometry.h"
#include "cuda/gemm.cuh"
#include "cuda/slice_sum.h"

namespace velu::cuda {
namespace {

struct Tap {
    int64_t row;
    int64_t column;
    int64_t channel;
};

/// The parts of an index into [kernel_height][kernel_width][channels].
__device__ __forceinline__ Tap tap_of(const Conv2dGeometry& g, int64_t index, int64_t channels) {
    const int64_t tap = quotient(index, channels);
    const int64_t row = quotient(tap, g.kernel_width);
    return {row, tap - row * g.kernel_width, index - tap * channels};
}

struct Pixel {
    int64_t image;
    int64_t row;
    int64_t column;
};

/// The parts of an index into [batch][height][width].
__device__ __forceinline__ Pixel pixel_of(int64_t index, int64_t height, int64_t width) {
    const int64_t line = quotient(index, width);
    const int64_t image = quotient(line, height);
    return {image, line - image * height, index - line * width};
}

/// x under an output pixel's window: outer is the output pixel, depth (tap, channel of the group).
template <class T>
struct WindowOperand {
    static constexpr bool kAlongDepth = true;
    struct Line {
        const T* image;  // first channel of the group in the image's first pixel
        int64_t top;     // of the window, may be outside
        int64_t left;
    };
    const T* x;
    Conv2dGeometry g;

    __device__ Line line(int64_t group, int64_t outer) const {
        const Pixel p = pixel_of(outer, g.out_height, g.out_width);
        return {x + p.image * g.in_height * g.in_width * g.in_channels + group * g.group_in,
                p.row * g.stride_height - g.padding_height, p.column * g.stride_width - g.padding_width};
    }
    __device__ float at(const Line& line, int64_t depth) const {
        const Tap tap = tap_of(g, depth, g.group_in);
        const int64_t row = line.top + tap.row * g.dilation_height;
        const int64_t column = line.left + tap.column * g.dilation_width;
        if (row < 0 || row >= g.in_height || column < 0 || column >= g.in_width) return 0;
        return to_float(line.image[(row * g.in_width + column) * g.in_channels + tap.channel]);
    }
};

/// dy at the output pixels whose windows hold an input pixel: outer is the input pixel, depth (tap, channel of the
/// group).
template <class T>
struct ScatterOperand {
    static constexpr bool kAlongDepth = true;
    struct Line {
        const T* image;
        int64_t row;  // of the input pixel in the padded image
        int64_t column;
    };
    const T* dy;
    Conv2dGeometry g;

    __device__ Line line(int64_t group, int64_t outer) const {
        const Pixel p = pixel_of(outer, g.in_height, g.in_width);
        return {dy + p.image * g.out_height * g.out_width * g.y_pitch + group * g.group_out, p.row + g.padding_height,
                p.column + g.padding_width};
    }
    __device__ float at(const Line& line, int64_t depth) const {
        const Tap tap = tap_of(g, depth, g.group_out);
        const int64_t row_offset = line.row - tap.row * g.dilation_height;
        const int64_t column_offset = line.column - tap.column * g.dilation_width;
        if (row_offset < 0 || column_offset < 0) return 0;
        const int64_t row = quotient(row_offset, g.stride_height);
        const int64_t column = quotient(column_offset, g.stride_width);
        if (row * g.stride_height != row_offset || column * g.stride_width != column_offset) return 0;
        if (row >= g.out_height || column >= g.out_width) return 0;
        return to_float(line.image[(row * g.out_width + column) * g.y_pitch + tap.channel]);
    }
};

/// The weight of an output channel of the group (outer) along (tap, input channel).
template <class T>
struct WeightOperand {
    static constexpr bool kAlongDepth = true;
    struct Line {
        const T* first;
    };
    const T* weight;
    Conv2dGeometry g;

    __device__ Line line(int64_t group, int64_t outer) const {
        return {weight + (group * g.group_out + outer) * g.taps() * g.group_in};
    }
    __device__ float at(const Line& line, int64_t depth) const { return to_float(line.first[depth]); }
};

/// The weight of an input channel of the group (outer) along (tap, output channel).
template <class T>
struct TransposedWeightOperand {
    static constexpr bool kAlongDepth = false;
    struct Line {
        const T* first;
    };
    const T* weight;
    Conv2dGeometry g;

    __device__ Line line(int64_t group, int64_t outer) const {
        return {weight + group * g.group_out * g.taps() * g.group_in + outer};
    }
    __device__ float at(const Line& line, int64_t depth) const {
        const int64_t tap = quotient(depth, g.group_out);
        const int64_t channel = depth - tap * g.group_out;
        return to_float(line.first[(channel * g.taps() + tap) * g.group_in]);
    }
};

/// dy of an output channel of the group (outer) along the output pixels.
template <class T>
struct ChannelOperand {
    static constexpr bool kAlongDepth = false;
    struct Line {
        const T* first;
    };
    const T* dy;
    Conv2dGeometry g;

    __device__ Line line(int64_t group, int64_t outer) const { return {dy + group * g.group_out + outer}; }
    __device__ float at(const Line& line, int64_t depth) const { return to_float(line.first[depth * g.y_pitch]); }
};

/// x under one tap and input channel (outer) along the output pixels.
template <class T>
struct TapOperand {
    static constexpr bool kAlongDepth = false;
    struct Line {
        const T* channel;
        int64_t row;  // of the tap, relative to the window's stride
        int64_t column;
    };
    const T* x;
    Conv2dGeometry g;

    __device__ Line line(int64_t group, int64_t outer) const {
        const Tap tap = tap_of(g, outer, g.group_in);
        return {x + group * g.group_in + tap.channel, tap.row * g.dilation_height - g.padding_height,
                tap.column * g.dilation_width - g.padding_width};
    }
    __device__ float at(const Line& line, int64_t depth) const {
        const Pixel p = pixel_of(depth, g.out_height, g.out_width);
        const int64_t row = p.row * g.stride_height + line.row;
        const int64_t column = p.column * g.stride_width + line.column;
        if (row < 0 || row >= g.in_height || column < 0 || column >= g.in_width) return 0;
        return to_float(line.channel[((p.image * g.in_height + row) * g.in_width + column) * g.in_channels]);
    }
};

/// An image: row is the pixel, column the channel of the group, plus a bias per channel if there is one.
template <class T>
struct ImageOutput {
    T* image;
    int64_t pitch;  // elements from one pixel to the next
    int64_t group_channels;
    const float* bias;

    __device__ void store(int64_t group, int64_t /*split*/, int64_t row, int64_t column, float sum) const {
        const int64_t channel = group * group_channels + column;
        image[row * pitch + channel] = from_float<T>(bias == nullptr ? sum : sum + bias[channel]);
    }
};

/// Parts of the gradient of the weights, [split][out][tap, in]: row is the output channel of the group.
struct WeightOutput {
    float* partial;
    Conv2dGeometry g;

    __device__ void store(int64_t group, int64_t split, int64_t row, int64_t column, float sum) const {
        const int64_t line = group * g.group_out + row;
        partial[split * g.weights() + line * g.taps() * g.group_in + column] = sum;
    }
};

template <class T>
void forward(Context& context, const Conv2dGeometry& g, const Operands& operands) {
    const GemmSizes sizes = {g.groups, g.out_pixels(), g.group_out, g.taps() * g.group_in, 1, int64_t{1} << 62};
    gemm(context, sizes, WindowOperand<T>{static_cast<const T*>(operands.first), g},
         WeightOperand<T>{static_cast<const T*>(operands.second), g},
         ImageOutput<T>{static_cast<T*>(operands.out), g.y_pitch, g.group_out, operands.bias});
}

template <class T>
void backward_data(Context& context, const Conv2dGeometry& g, const Operands& operands) {
    const GemmSizes sizes = {g.groups, g.in_pixels(), g.group_in, g.taps() * g.group_out, 1, int64_t{1} << 62};
    gemm(context, sizes, ScatterOperand<T>{static_cast<const T*>(operands.first), g},
         TransposedWeightOperand<T>{static_cast<const T*>(operands.second), g},
         ImageOutput<T>{static_cast<T*>(operands.out), g.in_channels, g.group_in, nullptr});
}

template <class T>
void backward_weights(Context& context, const Conv2dGeometry& g, const GemmSizes& sizes, const Operands& operands,
                      void* workspace) {
    auto* dweight = static_cast<float*>(operands.out);
    float* partial = sizes.splits == 1 ? dweight : static_cast<float*>(workspace);
    gemm(context, sizes, ChannelOperand<T>{static_cast<const T*>(operands.second), g},
         TapOperand<T>{static_cast<const T*>(operands.first), g}, WeightOutput{partial, g});
    if (sizes.splits > 1) add_slices(context, g.weights(), sizes.splits, partial, dweight);
}

}  // namespace

Plan conv2d_reference(const Context& context, const velu_conv2d_desc& desc, int32_t pass) {
    const Conv2dGeometry g(desc);
    Plan plan;
    plan.name = "reference";
    plan.adds_bias = true;
    with_element_type(desc.dtype, [&](auto type) {
        using T = decltype(type);
        switch (pass) {
            case VELU_PASS_FORWARD:
                plan.run = [g](Context& ctx, const Operands& operands, void*) { forward<T>(ctx, g, operands); };
                break;
            case VELU_PASS_BACKWARD_DATA:
                plan.run = [g](Context& ctx, const Operands& operands, void*) { backward_data<T>(ctx, g, operands); };
                break;
            default: {
                GemmSizes sizes = {g.groups, g.group_out, g.taps() * g.group_in, g.out_pixels(), 1, int64_t{1} << 62};
                split_depth(context, sizes);
                if (sizes.splits > 1) {
                    plan.workspace = padded(static_cast<size_t>(sizes.splits * g.weights()) * sizeof(float));
                }
                plan.run = [g, sizes](Context& ctx, const Operands& operands, void* workspace) {
                    backward_weights<T>(ctx, g, sizes, operands, workspace);
                };
            }
        }
    });
    return plan;
}

}  // namespace velu::cuda
