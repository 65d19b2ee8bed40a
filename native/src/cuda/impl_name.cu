// The entry that tells which implementation an operation uses.
#include <cstdio>
#include <cstring>

#include "core/pass.h"
#include "cuda/context.h"
#include "cuda/conv2d.h"
#include "cuda/linear.h"
#include "cuda/operations.h"
#include "cuda/scaled_linear.h"

namespace velu::cuda {

velu_status impl_name(DeviceContext* context, const char* operation, const void* desc, char* name, size_t capacity) {
    return guarded(context, [&](Context& ctx) {
        std::string implementation = "cuda";
        if (std::strncmp(operation, "conv2d_", 7) == 0) {
            implementation = conv2d_impl(ctx, *static_cast<const velu_conv2d_desc*>(desc), pass_of(operation));
        } else if (std::strncmp(operation, "linear_", 7) == 0) {
            implementation = linear_impl(ctx, *static_cast<const velu_linear_desc*>(desc), pass_of(operation));
        } else if (std::strncmp(operation, "scaled_linear_", 14) == 0) {
            implementation =
                scaled_linear_impl(ctx, *static_cast<const velu_scaled_linear_desc*>(desc), pass_of(operation));
        }
        std::snprintf(name, capacity, "%s", implementation.c_str());
    });
}

}  // namespace velu::cuda
