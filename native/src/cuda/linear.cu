// Fully connected layer: cuBLASLt where it is there, a plain tiled matrix product for the rest. What is chosen for a
// shape is kept in the context, and so is that the library failed for it. The activation is a pass over y, with the
// bias where that is still to be added: cuBLASLt's own epilogues promise neither velu.h's NaN nor its exact GELU.
//
// cuBLASLt stores matrices column after column, so it sees the transposes of velu.h's:
//   forward           y^T [out, rows]  = weight^T' x^T     A = weight [in, out] transposed, B = x [in, rows]
//   backward data     dx^T [in, rows]  = weight^T dy^T     A = weight [in, out],            B = dy [out, rows]
//   backward weights  dw^T [in, out]   = x^T dy            A = x [in, rows],                B = dy [out, rows]
//   transposed
#include "cuda/linear.h"

#include "cuda/bias.h"
#include "cuda/cublas_lt_matmul.h"
#include "cuda/element.cuh"
#include "cuda/gemm.cuh"
#include "cuda/operations.h"
#include "cuda/plan.h"
#include "cuda/slice_sum.h"

#include <array>
#include <map>
#include <memory>
#include <vector>

namespace velu::cuda {

using LinearKey = std::array<int64_t, 7>;

struct LinearPlans {
    std::shared_ptr<CublasLtHandle> cublas_lt;  // NULL if it cannot be used
    std::string reason;                         // why not, in a few words
    std::map<LinearKey, Plan> plans;
};

namespace {

LinearPlans& linear_plans(Context& context) {
    if (context.linear == nullptr) {
        auto made = std::make_shared<LinearPlans>();
        try {
            made->cublas_lt = std::make_shared<CublasLtHandle>();
        } catch (const Failure& failure) {
            made->reason =
                dynlink::cublas_lt().available ? std::string(failure.what()).substr(0, 80) : "cuBLASLt not found";
        }
        context.linear = std::move(made);
    }
    return *context.linear;
}

template <class T>
void run_reference(Context& context, const velu_linear_desc& d, int32_t pass, const GemmSizes& sizes,
                   const Operands& operands, void* workspace) {
    const auto* first = static_cast<const T*>(operands.first);
    const auto* second = static_cast<const T*>(operands.second);
    if (pass == VELU_PASS_FORWARD) {
        gemm(context, sizes, MatrixOperand<T, true>{first, d.in_features},
             MatrixOperand<T, true>{second, d.in_features},
             MatrixOutput<T>{static_cast<T*>(operands.out), d.out_features, operands.bias});
    } else if (pass == VELU_PASS_BACKWARD_DATA) {
        gemm(context, sizes, MatrixOperand<T, true>{first, d.out_features},
             MatrixOperand<T, false>{second, d.in_features},
             MatrixOutput<T>{static_cast<T*>(operands.out), d.in_features, nullptr});
    } else {
        auto* dweight = static_cast<float*>(operands.out);
        float* partial = sizes.splits == 1 ? dweight : static_cast<float*>(workspace);
        gemm(context, sizes, MatrixOperand<T, false>{second, d.out_features},
             MatrixOperand<T, false>{first, d.in_features}, PartialOutput{partial, d.out_features, d.in_features});
        if (sizes.splits > 1) add_slices(context, d.out_features * d.in_features, sizes.splits, partial, dweight);
    }
}

Plan reference(const Context& context, const velu_linear_desc& desc, int32_t pass) {
    GemmSizes sizes = {1, desc.rows, desc.out_features, desc.in_features, 1, int64_t{1} << 62};
    Plan plan;
    if (pass == VELU_PASS_BACKWARD_DATA) {
        sizes = {1, desc.rows, desc.in_features, desc.out_features, 1, int64_t{1} << 62};
    } else if (pass == VELU_PASS_BACKWARD_WEIGHTS) {
        sizes = {1, desc.out_features, desc.in_features, desc.rows, 1, int64_t{1} << 62};
        split_depth(context, sizes);
        const int64_t parts = sizes.splits == 1 ? 0 : sizes.splits;
        plan.workspace = padded(static_cast<size_t>(parts * desc.out_features * desc.in_features) * sizeof(float));
    }
    plan.name = "reference";
    plan.adds_bias = true;
    with_element_type(desc.dtype, [&](auto type) {
        using T = decltype(type);
        plan.run = [desc, pass, sizes](Context& ctx, const Operands& operands, void* workspace) {
            run_reference<T>(ctx, desc, pass, sizes, operands, workspace);
        };
    });
    return plan;
}

CublasLtMatmul matmul_of(const Context& context, const velu_linear_desc& d, int32_t pass, bool aligned, bool has_bias) {
    const dynlink::cudaDataType_t type = d.dtype == VELU_DTYPE_BF16 ? dynlink::CUDA_R_16BF : dynlink::CUDA_R_32F;
    CublasLtMatmul m = {};
    m.input_type = type;
    m.output_type = type;
    m.allow_tf32 = context.allow_tf32;
    m.aligned = aligned;
    m.has_bias = has_bias;
    m.most_plans = most_candidates();
    if (pass == VELU_PASS_FORWARD) {
        m.m = d.out_features;
        m.n = d.rows;
        m.k = d.in_features;
        m.transpose_a = true;
    } else if (pass == VELU_PASS_BACKWARD_DATA) {
        m.m = d.in_features;
        m.n = d.rows;
        m.k = d.out_features;
    } else {
        m.m = d.in_features;
        m.n = d.out_features;
        m.k = d.rows;
        m.transpose_b = true;
        m.a_is_first = true;
        m.output_type = dynlink::CUDA_R_32F;
    }
    return m;
}

/// Bytes of first, second and out of a pass.
std::array<size_t, 3> operand_bytes(const velu_linear_desc& d, int32_t pass) {
    const size_t element = d.dtype == VELU_DTYPE_BF16 ? 2 : 4;
    const size_t x = static_cast<size_t>(d.rows * d.in_features) * element;
    const size_t y = static_cast<size_t>(d.rows * d.out_features) * element;
    const auto weights = static_cast<size_t>(d.out_features * d.in_features);
    if (pass == VELU_PASS_FORWARD) return {x, weights * element, y};
    if (pass == VELU_PASS_BACKWARD_DATA) return {y, weights * element, x};
    return {x, y, weights * sizeof(float)};
}

/// Chooses an implementation. `operands` are those of the call, or empty: then memory is allocated for the choice.
Plan make_plan(Context& context, const velu_linear_desc& desc, int32_t pass, bool aligned, bool has_bias,
               Operands operands) {
    LinearPlans& all = linear_plans(context);
    std::string reason = all.reason;
    if (all.cublas_lt != nullptr) {
        const bool own_memory = operands.out == nullptr;
        const std::array<size_t, 3> bytes = operand_bytes(desc, pass);
        const TemporaryMemory first(own_memory ? bytes[0] : 0);
        const TemporaryMemory second(own_memory ? bytes[1] : 0);
        const TemporaryMemory out(own_memory ? bytes[2] : 0);
        const TemporaryMemory bias(own_memory && has_bias ? static_cast<size_t>(desc.out_features) * 4 : 0);
        if (own_memory) operands = {first.get(), second.get(), out.get(), static_cast<const float*>(bias.get())};
        const bool measurable = operands.first != nullptr && operands.second != nullptr && operands.out != nullptr &&
                                (operands.bias != nullptr || !has_bias);
        if (own_memory && measurable) {
            check(cudaMemsetAsync(first.get(), 0x3d, bytes[0], context.compute()), "cudaMemsetAsync");
            check(cudaMemsetAsync(second.get(), 0x3d, bytes[1], context.compute()), "cudaMemsetAsync");
        }
        // A bias in float32 may not go with every type of the product: then it is added by a kernel of its own.
        for (const bool fused : {true, false}) {
            if (fused && !has_bias) continue;
            try {
                std::vector<Plan> plans =
                    cublas_lt_plans(all.cublas_lt, matmul_of(context, desc, pass, aligned, fused));
                if (plans.empty()) {
                    reason = "no algorithm of cuBLASLt";
                    continue;
                }
                if (!measurable) return std::move(plans.front());
                Plan chosen = choose(context, std::move(plans), operands);
                if (chosen.run) return chosen;
                reason = "cuBLASLt's plans fail";
            } catch (const Failure& failure) {
                reason = std::string(failure.what()).substr(0, 80);
            }
        }
    }
    Plan plan = reference(context, desc, pass);
    plan.name += " (" + reason + ")";
    return plan;
}

const Plan& find_plan(Context& context, const velu_linear_desc& d, int32_t pass, bool aligned, bool has_bias,
                      const Operands& operands) {
    const LinearKey key = {d.rows, d.in_features, d.out_features, d.dtype, pass, aligned, has_bias};
    if (context.linear != nullptr) {
        const auto found = context.linear->plans.find(key);
        if (found != context.linear->plans.end()) return found->second;
    }
    if (context.recording) {
        throw Failure(VELU_STATUS_INVALID_ARGUMENT,
                      "no implementation of this linear layer has been chosen yet, and none can be while a graph is "
                      "recorded; run it once, on memory of the same alignment, before velu_graph_begin");
    }
    Plan plan = make_plan(context, d, pass, aligned, has_bias, operands);
    return linear_plans(context).plans.emplace(key, std::move(plan)).first->second;
}

void run(Context& context, const velu_linear_desc& desc, int32_t pass, const Operands& operands, float* dbias) {
    const bool aligned = aligned_to_16(operands.first, operands.second, operands.out, operands.bias);
    const Plan& plan = find_plan(context, desc, pass, aligned, operands.bias != nullptr, operands);
    const size_t sums = dbias == nullptr ? 0 : column_sum_workspace(desc.rows, desc.out_features);
    char* workspace = plan.workspace + sums == 0 ? nullptr : context.scratch<char>(plan.workspace + sums);
    plan.run(context, operands, workspace);
    const float* const bias = plan.adds_bias ? nullptr : operands.bias;  // that is still to be added
    if (pass == VELU_PASS_FORWARD && (bias != nullptr || desc.activation != VELU_ACTIVATION_IDENTITY)) {
        add_bias(context, desc.dtype, desc.rows, desc.out_features, desc.out_features, bias, desc.activation,
                 operands.out);
    }
    if (dbias != nullptr) {
        column_sum(context, desc.dtype, desc.rows, desc.out_features, desc.out_features, operands.second,
                   workspace + plan.workspace, dbias);
    }
}

}  // namespace

std::string linear_impl(Context& context, const velu_linear_desc& desc, int32_t pass) {
    return find_plan(context, desc, pass, true, false, {}).name;
}

const Plan& linear_plan(Context& context, const velu_linear_desc& desc, int32_t pass, bool aligned) {
    return find_plan(context, desc, pass, aligned, false, {});
}

velu_status linear_prepare(DeviceContext* context, const velu_linear_desc* desc, int32_t pass) {
    return guarded(context, [&](Context& ctx) {
        // Whether there will be a bias is not known yet, so both are made ready.
        for (const bool has_bias : {false, true}) {
            if (has_bias && pass != VELU_PASS_FORWARD) continue;
            const Plan& plan = find_plan(ctx, *desc, pass, true, has_bias, {});
            const size_t sums =
                pass == VELU_PASS_BACKWARD_WEIGHTS ? column_sum_workspace(desc->rows, desc->out_features) : 0;
            if (plan.workspace + sums > 0) ctx.scratch(plan.workspace + sums);
        }
    });
}

velu_status linear_forward(DeviceContext* context, const velu_linear_desc* desc, const void* x, const void* weight,
                           const float* bias, void* y) {
    return guarded(context, [&](Context& ctx) { run(ctx, *desc, VELU_PASS_FORWARD, {x, weight, y, bias}, nullptr); });
}

velu_status linear_backward_data(DeviceContext* context, const velu_linear_desc* desc, const void* dy,
                                 const void* weight, void* dx) {
    return guarded(context, [&](Context& ctx) {
        run(ctx, *desc, VELU_PASS_BACKWARD_DATA, {dy, weight, dx, nullptr}, nullptr);
    });
}

velu_status linear_backward_weights(DeviceContext* context, const velu_linear_desc* desc, const void* x, const void* dy,
                                    float* dweight, float* dbias) {
    return guarded(context, [&](Context& ctx) {
        run(ctx, *desc, VELU_PASS_BACKWARD_WEIGHTS, {x, dy, dweight, nullptr}, dbias);
    });
}

}  // namespace velu::cuda
