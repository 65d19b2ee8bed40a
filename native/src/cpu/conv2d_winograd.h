// 3 x 3 convolutions in float32 by Winograd's F(2 x 2, 3 x 3), for which oneDNN (3.11) has no implementation on x64:
// 16 multiplications instead of 36 for 2 x 2 pixels and two channels.
//
// Its sums have terms that cancel: an error is small beside the largest numbers of a tile of 4 x 4 pixels, not beside
// those of the window of 3 x 3. For the same reason an infinity or NaN in an image makes all pixels of the result NaN
// whose tiles see it, up to two pixels away instead of one.
#pragma once

#include <cstddef>

#include "cpu/context.h"

namespace velu::cpu {

/// Whether there are kernels for this convolution: 3 x 3 in float32, stride 1, on AVX2 or AVX-512.
bool has_winograd(const Context& context, const velu_conv2d_desc& desc);

/// "winograd:avx512" or "winograd:avx2".
const char* winograd_name(const Context& context);

/// Bytes of scratch memory of a pass.
size_t winograd_scratch_bytes(const Context& context, const velu_conv2d_desc& desc, int32_t pass);

/// As the operations of velu.h, batch >= 1; bias may be nullptr, y and dy pitched. dbias is not among it.
void winograd_forward(const Context& context, const velu_conv2d_desc& desc, const float* x, const float* weight,
                      const float* bias, void* scratch, float* y);
void winograd_backward_data(const Context& context, const velu_conv2d_desc& desc, const float* dy, const float* weight,
                            void* scratch, float* dx);
void winograd_backward_weights(const Context& context, const velu_conv2d_desc& desc, const float* x, const float* dy,
                               void* scratch, float* dweight);

/// The weight with its transformation done, for many calls.
size_t winograd_packed_bytes(const velu_conv2d_desc& desc);
void winograd_pack(const Context& context, const velu_conv2d_desc& desc, const float* weight, void* packed);
size_t winograd_packed_scratch_bytes(const Context& context, const velu_conv2d_desc& desc);
void winograd_packed_forward(const Context& context, const velu_conv2d_desc& desc, const float* x, const void* packed,
                             const float* bias, const float* residual, void* scratch, float* y);

}  // namespace velu::cpu
