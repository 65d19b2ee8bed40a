// oneDNN's engine and stream, and the primitives a context has built.
//
// A plan is everything one call of oneDNN needs: the primitive, reorders between the plain layouts of velu.h and those
// the primitive chose, and memory objects for their arguments. Running it sets the arguments' addresses and executes:
// nothing is built, and this library allocates nothing.
#pragma once

#include <array>
#include <functional>
#include <initializer_list>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "cpu/context.h"

namespace velu::cpu {

struct DnnlPlan {
    /// One primitive with its arguments; steps run in order.
    struct Step {
        dnnl::primitive primitive;
        dnnl::memory scratchpad;
        std::vector<dnnl_exec_arg_t> arguments;
    };
    /// An argument in the primitive's own layout, at an offset into the workspace.
    struct Internal {
        dnnl::memory memory;
        size_t offset;
    };

    velu_status status = VELU_STATUS_SUCCESS;  // else the reason why this plan cannot be: failures are kept too
    std::string message;
    std::string name;  // oneDNN's name of the implementation
    /// What is still to be applied to the result, where the primitive does not do it itself: VELU_ACTIVATION_*.
    int32_t activation = VELU_ACTIVATION_IDENTITY;
    size_t workspace = 0;
    size_t scratchpad_offset = 0;
    std::vector<dnnl::memory> arguments;  // in velu.h's layout, in the order of make_plan's list
    std::vector<Internal> internals;
    std::vector<Step> steps;
};

/// Operation, pass, presence of a bias and every number of the descriptor that the plan depends on; unused places are
/// 0.
using DnnlKey = std::array<int64_t, 19>;

struct DnnlKeyHash {
    size_t operator()(const DnnlKey& key) const noexcept;
};

struct DnnlState {
    DnnlState();

    /// New attributes with the settings of `attributes`, for post-ops: copies of those would share them.
    static dnnl::primitive_attr make_attributes();

    dnnl::engine engine;
    dnnl::stream stream;
    dnnl::primitive_attr attributes;  // scratchpad from the context's workspace, deterministic
    std::unordered_map<DnnlKey, DnnlPlan, DnnlKeyHash> plans;
};

/// An argument of a primitive: DNNL_ARG_*, its layout in velu.h's terms, and whether it is read or written.
struct DnnlArgument {
    int index;
    dnnl::memory::desc layout;
    bool written = false;
};

/// oneDNN's name of a VELU_DTYPE_*.
inline dnnl::memory::data_type dnnl_type(int32_t dtype) {
    return dtype == VELU_DTYPE_BF16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

/// Lays out a plan for a primitive; throws dnnl::error.
DnnlPlan make_plan(const DnnlState& state, const dnnl::primitive_desc_base& primitive_desc,
                   const std::vector<DnnlArgument>& arguments);

/// The plan under the key, made by `make` at the first request. A failure to make it is a plan with that status.
/// Valid until the next call of find_plan.
const DnnlPlan& find_plan(Context& context, const DnnlKey& key, const std::function<DnnlPlan()>& make);

/// Runs a plan on the arguments' addresses, in the order of make_plan's list; workspace holds plan.workspace bytes.
/// oneDNN divides work over the calling thread's OpenMP setting, which is the context's for the time of the call.
velu_status run_plan(Context& context, const DnnlPlan& plan, void* workspace,
                     std::initializer_list<const void*> addresses);

/// A pass of a linear layer as one matrix product, all operands in velu.h's layouts. Arguments are in the order of the
/// operation's: {x, weight, y[, bias]}, {dy, weight, dx} or {x, dy, dweight}.
DnnlPlan make_product(const DnnlState& state, const velu_linear_desc& desc, int32_t pass, bool has_bias);

/// Plan of a pass of convolution (conv2d.cpp), linear (linear.cpp) and, of its first chunk, scaled linear
/// (scaled_linear.cpp); never called with an empty batch.
const DnnlPlan& conv2d_plan(Context& context, const velu_conv2d_desc& desc, int32_t pass, bool has_bias);
const DnnlPlan& conv2d_packed_plan(Context& context, const velu_conv2d_desc& desc);  // without a residual
const DnnlPlan& linear_plan(Context& context, const velu_linear_desc& desc, int32_t pass, bool has_bias);
const DnnlPlan& scaled_linear_plan(Context& context, const velu_scaled_linear_desc& desc, int32_t pass);

}  // namespace velu::cpu
