// The sizes of a convolution, as kernels want them.
#pragma once

#include <velu/velu.h>

#include <cuda_runtime.h>

#include <cstdint>

namespace velu::cuda {

struct Conv2dGeometry {
    int64_t batch, in_height, in_width, in_channels;
    int64_t out_height, out_width, out_channels;
    int64_t y_pitch;              // elements from one pixel of y and dy to the next
    int64_t group_in, group_out;  // channels of one group
    int64_t kernel_height, kernel_width;
    int64_t stride_height, stride_width;
    int64_t padding_height, padding_width;
    int64_t dilation_height, dilation_width;
    int64_t groups;

    explicit Conv2dGeometry(const velu_conv2d_desc& d)
        : batch(d.batch),
          in_height(d.in_height),
          in_width(d.in_width),
          in_channels(d.in_channels),
          out_height(windows(d.in_height, d.kernel_height, d.stride_height, d.padding_height, d.dilation_height)),
          out_width(windows(d.in_width, d.kernel_width, d.stride_width, d.padding_width, d.dilation_width)),
          out_channels(d.out_channels),
          y_pitch(d.y_pitch == 0 ? d.out_channels : d.y_pitch),
          group_in(d.in_channels / d.groups),
          group_out(d.out_channels / d.groups),
          kernel_height(d.kernel_height),
          kernel_width(d.kernel_width),
          stride_height(d.stride_height),
          stride_width(d.stride_width),
          padding_height(d.padding_height),
          padding_width(d.padding_width),
          dilation_height(d.dilation_height),
          dilation_width(d.dilation_width),
          groups(d.groups) {}

    __host__ __device__ int64_t in_pixels() const { return batch * in_height * in_width; }
    __host__ __device__ int64_t out_pixels() const { return batch * out_height * out_width; }
    /// Elements from the first of y to behind the last.
    __host__ __device__ int64_t y_elements() const { return (out_pixels() - 1) * y_pitch + out_channels; }
    __host__ __device__ int64_t taps() const { return kernel_height * kernel_width; }
    __host__ __device__ int64_t weights() const { return out_channels * taps() * group_in; }

private:
    static int64_t windows(int64_t in, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
        return (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
    }
};

}  // namespace velu::cuda
