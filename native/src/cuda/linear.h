// What other files of the backend may ask of the fully connected layer.
#pragma once

#include "cuda/context.h"
#include "cuda/plan.h"

#include <cstdint>
#include <string>

namespace velu::cuda {

/// Name of the implementation of one pass (VELU_PASS_*) on memory aligned to 16 bytes, e.g. "cublaslt:algorithm 66",
/// "reference". Chooses it if that has not happened yet.
std::string linear_impl(Context& context, const velu_linear_desc& desc, int32_t pass);

/// The implementation of one pass without bias, for an operation that runs it on scratch memory of its own. `aligned`:
/// whether all its operands will be aligned to 16 bytes. Stays as long as the context.
const Plan& linear_plan(Context& context, const velu_linear_desc& desc, int32_t pass, bool aligned);

}  // namespace velu::cuda
