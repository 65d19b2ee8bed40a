// Convolution on cuDNN: its graph API, and its older API for what that rejects.
#pragma once

#include "cuda/cudnn_descriptor.h"
#include "cuda/plan.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace velu::cuda {

/// One pass of a convolution as cuDNN is to compute it.
struct CudnnConv2d {
    velu_conv2d_desc desc;
    int32_t pass;            // VELU_PASS_*
    bool allow_tf32;         // only for float32
    bool aligned;            // whether all pointers are aligned to 16 bytes, else to their elements only
    bool round_dweight;      // BACKWARD_WEIGHTS in BF16: cuDNN stores dweight in BF16 and a kernel widens it
    size_t workspace_limit;  // bytes a plan may need
    size_t most_plans;       // to return
};

/// The engines that cuDNN's heuristics propose and that are deterministic and as exact as a sum of products in float32,
/// best first; empty if there is none. Throws a Failure if cuDNN rejects the convolution as such.
std::vector<Plan> conv2d_cudnn_graph(const std::shared_ptr<CudnnHandle>& handle, const CudnnConv2d& convolution);

/// The same of the older API's algorithms. BACKWARD_WEIGHTS in BF16 needs round_dweight; y must be dense.
std::vector<Plan> conv2d_cudnn_legacy(const std::shared_ptr<CudnnHandle>& handle, const CudnnConv2d& convolution);

/// For BACKWARD_WEIGHTS with round_dweight: a plan that lets `plan` write BF16 to scratch memory and widens it.
Plan with_widened_dweight(Plan plan, int64_t weights);

}  // namespace velu::cuda
