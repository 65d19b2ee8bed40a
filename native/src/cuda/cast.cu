// Conversion between element types.
#include "cuda/elementwise.cuh"
#include "cuda/operations.h"

namespace velu::cuda {
namespace {

// 6 bytes per element either way, and one instruction for the conversion; limited by memory. The value goes through
// float32, which holds every bfloat16; from_float rounds to nearest, ties to even, and keeps a NaN.
struct Same {
    static __device__ __forceinline__ float value(float x) { return x; }
};

}  // namespace

velu_status cast_forward(DeviceContext* context, const velu_cast_desc* desc, const void* x, void* y) {
    return guarded(context, [&](Context& device) {
        if (desc->source_dtype == desc->dtype) {  // every bit stays
            const size_t element = desc->dtype == VELU_DTYPE_BF16 ? sizeof(BFloat16) : sizeof(float);
            check(cudaMemcpyAsync(y, x, static_cast<size_t>(desc->count) * element, cudaMemcpyDeviceToDevice,
                                  device.compute()),
                  "cudaMemcpyAsync");
        } else if (desc->dtype == VELU_DTYPE_BF16) {
            unary<Same>(device, static_cast<const float*>(x), static_cast<BFloat16*>(y), desc->count);
        } else {
            unary<Same>(device, static_cast<const BFloat16*>(x), static_cast<float*>(y), desc->count);
        }
    });
}

}  // namespace velu::cuda
