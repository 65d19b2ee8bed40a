// Fully connected layer on oneDNN's matrix multiplication, all operands in velu.h's plain layouts.
#include <algorithm>

#include "cpu/column_sum.h"
#include "cpu/context.h"
#include "cpu/dnnl_state.h"
#include "cpu/fused_activation.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

/// Bytes of scratch memory for the sums that are the bias' gradient.
size_t sums_bytes(const velu_linear_desc& desc) {
    return column_sum_bytes(desc.rows, desc.out_features);
}

velu_status check(DeviceContext* context, const DnnlPlan& plan) {
    if (plan.status == VELU_STATUS_SUCCESS) return plan.status;
    return context->fail(plan.status, "%s", plan.message.c_str());
}

}  // namespace

DnnlPlan make_product(const DnnlState& state, const velu_linear_desc& d, int32_t pass, bool has_bias) {
    using dnnl::memory;
    using Layout = dnnl::memory::desc;
    if (std::max({d.rows, d.in_features, d.out_features}) > INT32_MAX) {
        DnnlPlan plan;
        plan.status = VELU_STATUS_UNSUPPORTED;
        plan.message = "rows, in_features or out_features is above 2147483647, more than oneDNN counts; divide it";
        return plan;
    }
    constexpr auto kF32 = memory::data_type::f32;
    const auto type = dnnl_type(d.dtype);
    const Layout x({d.rows, d.in_features}, type, memory::dims{d.in_features, 1});
    const Layout y({d.rows, d.out_features}, type, memory::dims{d.out_features, 1});
    const Layout weight({d.out_features, d.in_features}, type, memory::dims{d.in_features, 1});
    const Layout dweight({d.out_features, d.in_features}, kF32, memory::dims{d.in_features, 1});
    const Layout weight_transposed({d.in_features, d.out_features}, type, memory::dims{1, d.in_features});
    const Layout y_transposed({d.out_features, d.rows}, type, memory::dims{1, d.out_features});
    const Layout bias({1, d.out_features}, kF32, memory::dims{d.out_features, 1});
    using MatMul = dnnl::matmul::primitive_desc;
    switch (pass) {
        case VELU_PASS_FORWARD: {
            const auto [desc, left] = fuse_activation(d.activation, [&](const dnnl::primitive_attr& attributes) {
                return has_bias ? MatMul(state.engine, x, weight_transposed, bias, y, attributes)
                                : MatMul(state.engine, x, weight_transposed, y, attributes);
            });
            std::vector<DnnlArgument> arguments = {
                {DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, weight_transposed}, {DNNL_ARG_DST, y, true}};
            if (has_bias) arguments.push_back({DNNL_ARG_BIAS, bias});
            DnnlPlan plan = make_plan(state, desc, arguments);
            plan.activation = left;
            return plan;
        }
        case VELU_PASS_BACKWARD_DATA:
            return make_plan(state, MatMul(state.engine, y, weight, x, state.attributes),
                             {{DNNL_ARG_SRC, y}, {DNNL_ARG_WEIGHTS, weight}, {DNNL_ARG_DST, x, true}});
        default:
            return make_plan(state, MatMul(state.engine, y_transposed, x, dweight, state.attributes),
                             {{DNNL_ARG_WEIGHTS, x}, {DNNL_ARG_SRC, y_transposed}, {DNNL_ARG_DST, dweight, true}});
    }
}

const DnnlPlan& linear_plan(Context& context, const velu_linear_desc& d, int32_t pass, bool has_bias) {
    const int32_t activation = pass == VELU_PASS_FORWARD ? d.activation : VELU_ACTIVATION_IDENTITY;
    const DnnlKey key = {'l', pass, has_bias, d.rows, d.in_features, d.out_features, activation, d.dtype};
    return find_plan(context, key, [&] { return make_product(*context.dnnl, d, pass, has_bias); });
}

velu_status linear_prepare(DeviceContext* context, const velu_linear_desc* desc, int32_t pass) {
    return guarded(context, [&] {
        // Whether there will be a bias is not known yet, so both are made ready.
        for (const bool has_bias : {false, true}) {
            if (has_bias && pass != VELU_PASS_FORWARD) continue;
            const DnnlPlan& plan = linear_plan(cpu(context), *desc, pass, has_bias);
            if (const velu_status status = check(context, plan); status != VELU_STATUS_SUCCESS) return status;
            const size_t sums = pass == VELU_PASS_BACKWARD_WEIGHTS ? sums_bytes(*desc) : 0;
            cpu(context).workspace.reserve(plan.workspace + sums);
        }
        return velu_status{VELU_STATUS_SUCCESS};
    });
}

velu_status linear_forward(DeviceContext* context, const velu_linear_desc* desc, const void* x, const void* weight,
                           const float* bias, void* y) {
    return guarded(context, [&] {
        const DnnlPlan& plan = linear_plan(cpu(context), *desc, VELU_PASS_FORWARD, bias != nullptr);
        if (const velu_status status = check(context, plan); status != VELU_STATUS_SUCCESS) return status;
        void* workspace = cpu(context).workspace.reserve(plan.workspace);
        const velu_status status = bias != nullptr ? run_plan(cpu(context), plan, workspace, {x, weight, y, bias})
                                                   : run_plan(cpu(context), plan, workspace, {x, weight, y});
        if (status != VELU_STATUS_SUCCESS) return status;
        activate_rows(cpu(context), plan.activation, desc->dtype, y, y, desc->rows, desc->out_features,
                      desc->out_features);
        return status;
    });
}

velu_status linear_backward_data(DeviceContext* context, const velu_linear_desc* desc, const void* dy,
                                 const void* weight, void* dx) {
    return guarded(context, [&] {
        const DnnlPlan& plan = linear_plan(cpu(context), *desc, VELU_PASS_BACKWARD_DATA, false);
        if (const velu_status status = check(context, plan); status != VELU_STATUS_SUCCESS) return status;
        return run_plan(cpu(context), plan, cpu(context).workspace.reserve(plan.workspace), {dy, weight, dx});
    });
}

velu_status linear_backward_weights(DeviceContext* context, const velu_linear_desc* desc, const void* x, const void* dy,
                                    float* dweight, float* dbias) {
    return guarded(context, [&] {
        const DnnlPlan& plan = linear_plan(cpu(context), *desc, VELU_PASS_BACKWARD_WEIGHTS, false);
        if (const velu_status status = check(context, plan); status != VELU_STATUS_SUCCESS) return status;
        const size_t sums = dbias != nullptr ? sums_bytes(*desc) : 0;
        auto* workspace = static_cast<char*>(cpu(context).workspace.reserve(plan.workspace + sums));
        const velu_status status = run_plan(cpu(context), plan, workspace, {x, dy, dweight});
        if (status == VELU_STATUS_SUCCESS && dbias != nullptr) {
            column_sum(cpu(context), desc->dtype, desc->rows, desc->out_features, desc->out_features, dy,
                       workspace + plan.workspace, dbias);
        }
        return status;
    });
}

}  // namespace velu::cpu
