// The entry that tells which implementation an operation uses.
#include <cstring>

#include "core/pass.h"
#include "cpu/context.h"
#include "cpu/conv2d_choice.h"
#include "cpu/conv2d_winograd.h"
#include "cpu/dnnl_state.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

/// Whether oneDNN computes with this descriptor, which may be any numbers or absent.
bool has_plan(const velu_scaled_linear_desc* desc) {
    if (desc == nullptr) return false;
    for (const int64_t size : {desc->batch, desc->pixels, desc->in_features, desc->out_features}) {
        if (size < 1 || size > INT32_MAX) return false;
    }
    return true;
}

}  // namespace

const char* isa_name(int32_t isa) {
    switch (isa) {
        case VELU_ISA_AVX512:
            return "avx512";
        case VELU_ISA_AVX2:
            return "avx2";
        default:
            return "baseline";
    }
}

velu_status impl_name(DeviceContext* context, const char* operation, const void* desc, char* name, size_t capacity) {
    return guarded(context, [&] {
        const DnnlPlan* plan = nullptr;
        const char* own = isa_name(cpu(context).isa);
        if (std::strncmp(operation, "conv2d_pack", 11) == 0) {
            const auto& conv2d = *static_cast<const velu_conv2d_desc*>(desc);
            if (packs_winograd(cpu(context), conv2d)) {
                own = winograd_name(cpu(context));
            } else if (conv2d.batch > 0) {
                plan = &conv2d_packed_plan(cpu(context), conv2d);
            }
        } else if (std::strncmp(operation, "conv2d_", 7) == 0) {
            const auto& conv2d = *static_cast<const velu_conv2d_desc*>(desc);
            const int32_t pass = pass_of(operation);
            const Conv2dMethod method = conv2d_method(cpu(context), conv2d, pass);
            if (method == Conv2dMethod::kWinograd) {
                own = winograd_name(cpu(context));
            } else if (conv2d.batch > 0 && method != Conv2dMethod::kDepthwise) {
                plan = &conv2d_plan(cpu(context), conv2d, pass, false);
            }
        } else if (std::strncmp(operation, "linear_", 7) == 0) {
            const auto& linear = *static_cast<const velu_linear_desc*>(desc);
            if (linear.rows > 0) plan = &linear_plan(cpu(context), linear, pass_of(operation), false);
        } else if (std::strncmp(operation, "scaled_linear_", 14) == 0) {
            const auto* scaled = static_cast<const velu_scaled_linear_desc*>(desc);
            if (has_plan(scaled)) plan = &scaled_linear_plan(cpu(context), *scaled, pass_of(operation));
        }
        if (plan != nullptr && plan->status != VELU_STATUS_SUCCESS) {
            return context->fail(plan->status, "%s", plan->message.c_str());
        }
        std::snprintf(name, capacity, "%s", plan != nullptr ? plan->name.c_str() : own);
        return velu_status{VELU_STATUS_SUCCESS};
    });
}

}  // namespace velu::cpu
