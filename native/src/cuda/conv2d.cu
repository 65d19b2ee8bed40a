// 2-D convolution: cuDNN where it is there, own kernels for depthwise ones where these are faster, a plain matrix
// product for the rest. What is chosen for a shape is kept in the context, and so is that a library failed for it. The
// activation is a pass over y, with the bias where that is still to be added.
#include "cuda/conv2d.h"

#include "cuda/bias.h"
#include "cuda/conv2d_cudnn.h"
#include "cuda/conv2d_depthwise.h"
#include "cuda/conv2d_geometry.h"
#include "cuda/conv2d_reference.h"
#include "cuda/copy_rows.h"
#include "cuda/element.cuh"
#include "cuda/operations.h"
#include "cuda/plan.h"

#include <array>
#include <map>
#include <memory>
#include <vector>

namespace velu::cuda {

using Conv2dKey = std::array<int64_t, 18>;

struct Conv2dPlans {
    std::shared_ptr<CudnnHandle> cudnn;  // NULL if it cannot be used
    std::string reason;                  // why not, in a few words
    std::map<Conv2dKey, Plan> plans;
};

namespace {

/// The part of a message that fits beside an implementation's name.
std::string brief(const std::string& message) {
    return message.substr(0, std::min<size_t>(message.find(':', message.find(':') + 1), 80));
}

Conv2dPlans& conv2d_plans(Context& context) {
    if (context.conv2d == nullptr) {
        auto made = std::make_shared<Conv2dPlans>();
        try {
            made->cudnn = std::make_shared<CudnnHandle>(context);
        } catch (const Failure& failure) {
            made->reason = dynlink::cudnn().available ? brief(failure.what()) : "cuDNN not found";
        }
        context.conv2d = std::move(made);
    }
    return *context.conv2d;
}

/// Bytes of first, second and out of a pass.
struct OperandBytes {
    size_t first;
    size_t second;
    size_t out;
};

OperandBytes operand_bytes(const velu_conv2d_desc& desc, int32_t pass) {
    const Conv2dGeometry g(desc);
    const size_t element = desc.dtype == VELU_DTYPE_BF16 ? 2 : 4;
    const size_t x = static_cast<size_t>(g.in_pixels() * g.in_channels) * element;
    const size_t y = static_cast<size_t>(g.y_elements()) * element;
    const auto weights = static_cast<size_t>(g.weights());
    switch (pass) {
        case VELU_PASS_FORWARD:
            return {x, weights * element, y};
        case VELU_PASS_BACKWARD_DATA:
            return {y, weights * element, x};
        default:
            return {x, y, weights * sizeof(float)};
    }
}

/// For a y whose pixels lie apart: a plan for a dense y, in scratch memory, and the copy out of it or, of dy, into it.
Plan through_dense_y(Plan plan, const velu_conv2d_desc& desc, int32_t pass) {
    const Conv2dGeometry g(desc);
    Plan copied;
    copied.name = plan.name + ", y copied";
    copied.handicap = plan.handicap;
    copied.workspace = plan.workspace + padded(static_cast<size_t>(g.out_pixels() * g.out_channels) *
                                               (desc.dtype == VELU_DTYPE_BF16 ? 2 : 4));
    copied.run = [inner = std::move(plan), g, pass, dtype = desc.dtype](Context& context, const Operands& operands,
                                                                        void* workspace) {
        void* const dense = static_cast<char*>(workspace) + inner.workspace;
        Operands inside = operands;
        if (pass == VELU_PASS_FORWARD) {
            inside.out = dense;
            inner.run(context, inside, workspace);
            copy_rows(context, dtype, g.out_pixels(), g.out_channels, dense, g.out_channels, operands.out, g.y_pitch);
            return;
        }
        const void*& dy = pass == VELU_PASS_BACKWARD_DATA ? inside.first : inside.second;
        copy_rows(context, dtype, g.out_pixels(), g.out_channels, dy, g.y_pitch, dense, g.out_channels);
        dy = dense;
        inner.run(context, inside, workspace);
    };
    return copied;
}

/// What cuDNN offers for a y as it is; adds to `reason` where it offers nothing.
std::vector<Plan> cudnn_plans_as_is(const std::shared_ptr<CudnnHandle>& handle, CudnnConv2d convolution, bool legacy,
                                    std::string& reason) {
    std::vector<Plan> plans;
    const auto add = [&] {
        try {
            auto found = legacy ? conv2d_cudnn_legacy(handle, convolution) : conv2d_cudnn_graph(handle, convolution);
            for (Plan& plan : found) plans.push_back(std::move(plan));
        } catch (const Failure& failure) {
            reason = brief(failure.what());
        }
    };
    const bool is_bf16_dweight =
        convolution.pass == VELU_PASS_BACKWARD_WEIGHTS && convolution.desc.dtype == VELU_DTYPE_BF16;
    if (!is_bf16_dweight || !legacy) add();
    if (is_bf16_dweight && plans.size() < convolution.most_plans) {
        convolution.round_dweight = true;
        convolution.most_plans = std::max<size_t>(1, convolution.most_plans / 2);
        add();
    }
    return plans;
}

/// The same, and where the pixels of y lie apart what cuDNN offers for a dense copy: it has fewer engines for such y,
/// and none in the older API.
std::vector<Plan> cudnn_plans(const std::shared_ptr<CudnnHandle>& handle, CudnnConv2d convolution, bool legacy,
                              std::string& reason) {
    const velu_conv2d_desc desc = convolution.desc;
    const bool is_dense = Conv2dGeometry(desc).y_pitch == desc.out_channels;
    std::vector<Plan> plans;
    if (is_dense || !legacy) plans = cudnn_plans_as_is(handle, convolution, legacy, reason);
    if (is_dense) return plans;
    convolution.desc.y_pitch = desc.out_channels;
    convolution.most_plans = std::max<size_t>(1, convolution.most_plans / 2);
    for (Plan& plan : cudnn_plans_as_is(handle, convolution, legacy, reason)) {
        plans.push_back(through_dense_y(std::move(plan), desc, convolution.pass));
    }
    return plans;
}

/// Chooses an implementation. `operands` are those of the call, or empty: then memory is allocated for the choice.
Plan make_plan(Context& context, const velu_conv2d_desc& desc, int32_t pass, bool aligned, Operands operands) {
    Conv2dPlans& all = conv2d_plans(context);
    const OperandBytes bytes = operand_bytes(desc, pass);
    const bool own_memory = operands.out == nullptr;
    const TemporaryMemory first(own_memory ? bytes.first : 0);
    const TemporaryMemory second(own_memory ? bytes.second : 0);
    const TemporaryMemory out(own_memory ? bytes.out : 0);
    if (own_memory) operands = {first.get(), second.get(), out.get(), nullptr};
    const bool measurable = operands.first != nullptr && operands.second != nullptr && operands.out != nullptr;
    if (own_memory && measurable) {
        check(cudaMemsetAsync(first.get(), 0x3d, bytes.first, context.compute()), "cudaMemsetAsync");
        check(cudaMemsetAsync(second.get(), 0x3d, bytes.second, context.compute()), "cudaMemsetAsync");
    }

    std::string reason = all.reason;
    for (const bool legacy : {false, true}) {
        std::vector<Plan> candidates;
        if (is_depthwise(desc)) candidates.push_back(conv2d_depthwise(context, desc, pass));
        if (all.cudnn != nullptr && (candidates.empty() || autotunes())) {
            CudnnConv2d convolution = {
                desc, pass, context.allow_tf32, aligned, false, workspace_limit(), most_candidates()};
            for (Plan& plan : cudnn_plans(all.cudnn, convolution, legacy, reason)) {
                candidates.push_back(std::move(plan));
            }
        }
        if (candidates.empty()) continue;
        if (!measurable) return std::move(candidates.front());
        Plan chosen = choose(context, std::move(candidates), operands);
        if (chosen.run) return chosen;
        reason = "cuDNN's plans fail";
    }
    Plan plan = conv2d_reference(context, desc, pass);
    plan.name += " (" + (reason.empty() ? "no engine of cuDNN" : reason) + ")";
    return plan;
}

const Plan& find_plan(Context& context, const velu_conv2d_desc& d, int32_t pass, bool aligned,
                      const Operands& operands) {
    const Conv2dKey key = {d.batch,          d.in_height,
                           d.in_width,       d.in_channels,
                           d.out_channels,   d.kernel_height,
                           d.kernel_width,   d.stride_height,
                           d.stride_width,   d.padding_height,
                           d.padding_width,  d.dilation_height,
                           d.dilation_width, d.groups,
                           d.dtype,          pass,
                           aligned,          Conv2dGeometry(d).y_pitch};
    if (context.conv2d != nullptr) {
        const auto found = context.conv2d->plans.find(key);
        if (found != context.conv2d->plans.end()) return found->second;
    }
    if (context.recording) {
        throw Failure(VELU_STATUS_INVALID_ARGUMENT,
                      "no implementation of this convolution has been chosen yet, and none can be while a graph is "
                      "recorded; run it once, on memory of the same alignment, before velu_graph_begin");
    }
    Plan plan = make_plan(context, d, pass, aligned, operands);
    return conv2d_plans(context).plans.emplace(key, std::move(plan)).first->second;
}

void run(Context& context, const velu_conv2d_desc& desc, int32_t pass, const Operands& operands, float* dbias) {
    const bool aligned = aligned_to_16(operands.first, operands.second, operands.out);
    const Plan& plan = find_plan(context, desc, pass, aligned, operands);
    const Conv2dGeometry g(desc);
    const size_t sums = dbias == nullptr ? 0 : column_sum_workspace(g.out_pixels(), g.out_channels);
    char* workspace = plan.workspace + sums == 0 ? nullptr : context.scratch<char>(plan.workspace + sums);
    plan.run(context, operands, workspace);
    const float* const bias = plan.adds_bias ? nullptr : operands.bias;  // that is still to be added
    if (pass == VELU_PASS_FORWARD && (bias != nullptr || desc.activation != VELU_ACTIVATION_IDENTITY)) {
        add_bias(context, desc.dtype, g.out_pixels(), g.out_channels, g.y_pitch, bias, desc.activation, operands.out);
    }
    if (dbias != nullptr) {
        column_sum(context, desc.dtype, g.out_pixels(), g.out_channels, g.y_pitch, operands.second,
                   workspace + plan.workspace, dbias);
    }
}

/// Bytes of a dense y in scratch memory.
size_t dense_y_bytes(const velu_conv2d_desc& desc) {
    const Conv2dGeometry g(desc);
    return padded(static_cast<size_t>(g.out_pixels() * g.out_channels) * (desc.dtype == VELU_DTYPE_BF16 ? 2 : 4));
}

}  // namespace

void run_conv2d_forward(Context& context, const velu_conv2d_desc& desc, const void* x, const void* weight,
                        const float* bias, const void* residual, void* y) {
    if (residual == nullptr) return run(context, desc, VELU_PASS_FORWARD, {x, weight, y, bias}, nullptr);
    // The convolution must not write over the residual, nor its candidates while they are timed.
    const bool in_place = residual == y;
    const Plan& plan =
        in_place ? find_plan(context, desc, VELU_PASS_FORWARD, aligned_to_16(x, weight), {})
                 : find_plan(context, desc, VELU_PASS_FORWARD, aligned_to_16(x, weight, y), {x, weight, y, nullptr});
    const size_t bytes = plan.workspace + (in_place ? dense_y_bytes(desc) : 0);
    char* workspace = bytes == 0 ? nullptr : context.scratch<char>(bytes);
    void* const sums = in_place ? workspace + plan.workspace : y;
    plan.run(context, {x, weight, sums, nullptr}, workspace);
    const Conv2dGeometry g(desc);
    add_bias_and_residual(context, desc.dtype, g.out_pixels(), g.out_channels, g.y_pitch, sums, bias, residual,
                          desc.activation, y);
}

void prepare_conv2d_forward(Context& context, const velu_conv2d_desc& desc, bool has_residual) {
    const Plan& plan = find_plan(context, desc, VELU_PASS_FORWARD, true, {});
    const bool may_be_in_place = has_residual && Conv2dGeometry(desc).y_pitch == desc.out_channels;
    const size_t bytes = plan.workspace + (may_be_in_place ? dense_y_bytes(desc) : 0);
    if (bytes > 0) context.scratch(bytes);
}

std::string conv2d_impl(Context& context, const velu_conv2d_desc& desc, int32_t pass) {
    return find_plan(context, desc, pass, true, {}).name;
}

velu_status conv2d_prepare(DeviceContext* context, const velu_conv2d_desc* desc, int32_t pass) {
    return guarded(context, [&](Context& ctx) {
        const Plan& plan = find_plan(ctx, *desc, pass, true, {});
        const Conv2dGeometry g(*desc);
        const size_t sums =
            pass == VELU_PASS_BACKWARD_WEIGHTS ? column_sum_workspace(g.out_pixels(), g.out_channels) : 0;
        if (plan.workspace + sums > 0) ctx.scratch(plan.workspace + sums);
    });
}

velu_status conv2d_forward(DeviceContext* context, const velu_conv2d_desc* desc, const void* x, const void* weight,
                           const float* bias, void* y) {
    return guarded(context, [&](Context& ctx) { run(ctx, *desc, VELU_PASS_FORWARD, {x, weight, y, bias}, nullptr); });
}

velu_status conv2d_backward_data(DeviceContext* context, const velu_conv2d_desc* desc, const void* dy,
                                 const void* weight, void* dx) {
    return guarded(context, [&](Context& ctx) {
        run(ctx, *desc, VELU_PASS_BACKWARD_DATA, {dy, weight, dx, nullptr}, nullptr);
    });
}

velu_status conv2d_backward_weights(DeviceContext* context, const velu_conv2d_desc* desc, const void* x, const void* dy,
                                    float* dweight, float* dbias) {
    return guarded(context, [&](Context& ctx) {
        run(ctx, *desc, VELU_PASS_BACKWARD_WEIGHTS, {x, dy, dweight, nullptr}, dbias);
    });
}

}  // namespace velu::cuda
