// Fully connected layer on oneDNN's matrix multiplication, all operands in velu.h's plain layouts.
#include <algorithm>
#include <cstring>

#include "cpu/context.h"
#include "cpu/dnnl_state.h"
#include "cpu/fused_activation.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

using dnnl::memory;
using Layout = dnnl::memory::desc;

constexpr int64_t kRowsPerBlock = 256;  // rows summed in float32 before blocks are merged in float64

DnnlPlan make_linear(const DnnlState& state, const velu_linear_desc& d, int32_t pass, bool has_bias) {
    if (std::max({d.rows, d.in_features, d.out_features}) > INT32_MAX) {
        DnnlPlan plan;
        plan.status = VELU_STATUS_UNSUPPORTED;
        plan.message = "rows, in_features or out_features is above 2147483647, more than oneDNN counts; divide it";
        return plan;
    }
    constexpr auto kF32 = memory::data_type::f32;
    const Layout x({d.rows, d.in_features}, kF32, memory::dims{d.in_features, 1});
    const Layout y({d.rows, d.out_features}, kF32, memory::dims{d.out_features, 1});
    const Layout weight({d.out_features, d.in_features}, kF32, memory::dims{d.in_features, 1});
    const Layout weight_transposed({d.in_features, d.out_features}, kF32, memory::dims{1, d.in_features});
    const Layout y_transposed({d.out_features, d.rows}, kF32, memory::dims{1, d.out_features});
    const Layout bias({1, d.out_features}, kF32, memory::dims{d.out_features, 1});
    using MatMul = dnnl::matmul::primitive_desc;
    switch (pass) {
        case VELU_PASS_FORWARD: {
            const auto [desc, left] = fuse_activation(state, d.activation, [&](const dnnl::primitive_attr& attributes) {
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
            return make_plan(state, MatMul(state.engine, y_transposed, x, weight, state.attributes),
                             {{DNNL_ARG_SRC, y_transposed}, {DNNL_ARG_WEIGHTS, x}, {DNNL_ARG_DST, weight, true}});
    }
}

int64_t row_blocks(const velu_linear_desc& desc) {
    return (desc.rows + kRowsPerBlock - 1) / kRowsPerBlock;
}

/// Bytes of one partial sum per block of rows.
size_t column_sum_bytes(const velu_linear_desc& desc) {
    return static_cast<size_t>(row_blocks(desc) * desc.out_features) * sizeof(float);
}

/// sum[column] over the rows of dy, the same bits for any number of threads. Reads dy once.
void column_sum(const Context& context, const velu_linear_desc& desc, const float* dy, float* partial, float* sum) {
    const int64_t columns = desc.out_features;
    const int64_t blocks = row_blocks(desc);
    parallel_for(context, blocks, [&](int64_t block) {
        float* block_sum = partial + block * columns;
        const int64_t first = block * kRowsPerBlock;
        const int64_t last = std::min(first + kRowsPerBlock, desc.rows);
        std::memcpy(block_sum, dy + first * columns, static_cast<size_t>(columns) * sizeof(float));
        for (int64_t row = first + 1; row < last; ++row) {
            const float* values = dy + row * columns;
            for (int64_t column = 0; column < columns; ++column) block_sum[column] += values[column];
        }
    });
    for (int64_t column = 0; column < columns; ++column) {
        double total = 0;
        for (int64_t block = 0; block < blocks; ++block)
            total += static_cast<double>(partial[block * columns + column]);
        sum[column] = static_cast<float>(total);
    }
}

velu_status check(DeviceContext* context, const DnnlPlan& plan) {
    if (plan.status == VELU_STATUS_SUCCESS) return plan.status;
    return context->fail(plan.status, "%s", plan.message.c_str());
}

}  // namespace

const DnnlPlan& linear_plan(Context& context, const velu_linear_desc& d, int32_t pass, bool has_bias) {
    const int32_t activation = pass == VELU_PASS_FORWARD ? d.activation : VELU_ACTIVATION_IDENTITY;
    const DnnlKey key = {'l', pass, has_bias, d.rows, d.in_features, d.out_features, activation, d.dtype};
    return find_plan(context, key, [&] { return make_linear(*context.dnnl, d, pass, has_bias); });
}

velu_status linear_prepare(DeviceContext* context, const velu_linear_desc* desc, int32_t pass) {
    return guarded(context, [&] {
        // Whether there will be a bias is not known yet, so both are made ready.
        for (const bool has_bias : {false, true}) {
            if (has_bias && pass != VELU_PASS_FORWARD) continue;
            const DnnlPlan& plan = linear_plan(cpu(context), *desc, pass, has_bias);
            if (const velu_status status = check(context, plan); status != VELU_STATUS_SUCCESS) return status;
            const size_t sums = pass == VELU_PASS_BACKWARD_WEIGHTS ? column_sum_bytes(*desc) : 0;
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
        auto* result = static_cast<float*>(y);
        activate_rows(cpu(context), plan.activation, result, result, desc->rows, desc->out_features,
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
        const size_t sums = dbias != nullptr ? column_sum_bytes(*desc) : 0;
        auto* workspace = static_cast<char*>(cpu(context).workspace.reserve(plan.workspace + sums));
        const velu_status status = run_plan(cpu(context), plan, workspace, {dy, x, dweight});
        if (status == VELU_STATUS_SUCCESS && dbias != nullptr) {
            column_sum(cpu(context), *desc, static_cast<const float*>(dy),
                       reinterpret_cast<float*>(workspace + plan.workspace), dbias);
        }
        return status;
    });
}

}  // namespace velu::cpu
