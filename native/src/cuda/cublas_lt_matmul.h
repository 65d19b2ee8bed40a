// Matrix products on cuBLASLt.
#pragma once

#include "cuda/dynlink/libraries.h"
#include "cuda/plan.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace velu::cuda {

/// cuBLASLt on the current device.
class CublasLtHandle {
public:
    /// Throws a Failure if cuBLASLt is not there or does not work on this device.
    CublasLtHandle();
    ~CublasLtHandle();
    CublasLtHandle(const CublasLtHandle&) = delete;
    CublasLtHandle& operator=(const CublasLtHandle&) = delete;

    const dynlink::CublasLt& cublas_lt() const { return functions_; }
    dynlink::cublasLtHandle_t get() const { return handle_; }

    /// Throws a Failure that names the call and the status, unless it succeeded.
    void check(dynlink::cublasStatus_t status, const char* call) const;

private:
    const dynlink::CublasLt& functions_;
    dynlink::cublasLtHandle_t handle_ = nullptr;
};

/// D = op(A) op(B) in cuBLASLt's terms: matrices stored column after column, leading dimension = stored rows.
struct CublasLtMatmul {
    int64_t m;  // rows of D and op(A)
    int64_t n;  // columns of D and op(B)
    int64_t k;  // columns of op(A), rows of op(B)
    bool transpose_a;
    bool transpose_b;
    dynlink::cudaDataType_t input_type;   // of A and B
    dynlink::cudaDataType_t output_type;  // of D
    bool allow_tf32;                      // only for float32 inputs
    bool has_bias;                        // D += a float32 bias per row of D
    bool a_is_first;                      // whether A is Operands::first (and B second), or the other way round
    bool aligned;                         // whether all pointers are aligned to 16 bytes, else to their elements only
    size_t most_plans;                    // to return
};

/// The algorithms that cuBLASLt's heuristics propose, best first; empty if there is none.
std::vector<Plan> cublas_lt_plans(const std::shared_ptr<CublasLtHandle>& handle, const CublasLtMatmul& matmul);

}  // namespace velu::cuda
