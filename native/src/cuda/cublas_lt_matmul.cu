#include "cuda/cublas_lt_matmul.h"

#include <algorithm>
#include <array>

namespace velu::cuda {
namespace {

using namespace dynlink;  // cuBLASLt's names carry their own prefix

/// NVIDIA's advice for compute capability 9; older devices need less.
constexpr uint64_t kMostWorkspace = uint64_t{32} << 20;

const CublasLt& available_cublas_lt() {
    const auto& opened = cublas_lt();
    if (!opened.available) throw Failure(VELU_STATUS_UNSUPPORTED, "cuBLASLt not found: " + opened.reason);
    return opened.functions;
}

/// The descriptors of one product.
class Product {
public:
    Product(std::shared_ptr<CublasLtHandle> handle, const CublasLtMatmul& matmul)
        : has_bias(matmul.has_bias), a_is_first(matmul.a_is_first), handle_(std::move(handle)) {
        try {
            create(matmul);
        } catch (const Failure&) {
            destroy();
            throw;
        }
    }
    ~Product() { destroy(); }
    Product(const Product&) = delete;
    Product& operator=(const Product&) = delete;

    const CublasLtHandle& handle() const { return *handle_; }
    void set_bias(const void* bias) const { set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias); }

    cublasLtMatmulDesc_t desc = nullptr;
    cublasLtMatrixLayout_t a = nullptr;
    cublasLtMatrixLayout_t b = nullptr;
    cublasLtMatrixLayout_t d = nullptr;
    bool has_bias;
    bool a_is_first;

private:
    template <class T>
    void set(cublasLtMatmulDescAttributes_t name, const T& value) const {
        handle_->check(handle_->cublas_lt().cublasLtMatmulDescSetAttribute(desc, name, &value, sizeof value),
                       "cublasLtMatmulDescSetAttribute");
    }
    void create_layout(cublasLtMatrixLayout_t* layout, cudaDataType_t type, int64_t rows, int64_t columns) {
        handle_->check(handle_->cublas_lt().cublasLtMatrixLayoutCreate(layout, type, static_cast<uint64_t>(rows),
                                                                       static_cast<uint64_t>(columns), rows),
                       "cublasLtMatrixLayoutCreate");
    }
    void create(const CublasLtMatmul& p) {
        const bool tf32 = p.allow_tf32 && p.input_type == CUDA_R_32F;
        handle_->check(handle_->cublas_lt().cublasLtMatmulDescCreate(
                           &desc, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F),
                       "cublasLtMatmulDescCreate");
        set(CUBLASLT_MATMUL_DESC_TRANSA, int32_t{p.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N});
        set(CUBLASLT_MATMUL_DESC_TRANSB, int32_t{p.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N});
        if (p.has_bias) {
            set(CUBLASLT_MATMUL_DESC_EPILOGUE, uint32_t{CUBLASLT_EPILOGUE_BIAS});
            set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, int32_t{CUDA_R_32F});
        }
        create_layout(&a, p.input_type, p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k);
        create_layout(&b, p.input_type, p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n);
        create_layout(&d, p.output_type, p.m, p.n);
    }
    void destroy() {
        const CublasLt& f = handle_->cublas_lt();
        if (desc != nullptr) f.cublasLtMatmulDescDestroy(desc);
        for (cublasLtMatrixLayout_t layout : {a, b, d}) {
            if (layout != nullptr) f.cublasLtMatrixLayoutDestroy(layout);
        }
    }

    std::shared_ptr<CublasLtHandle> handle_;
};

/// What the heuristics may propose.
class Preference {
public:
    Preference(const CublasLtHandle& handle, const CublasLtMatmul& p) : handle_(handle) {
        handle.check(handle.cublas_lt().cublasLtMatmulPreferenceCreate(&preference_), "cublasLtMatmulPreferenceCreate");
        try {
            set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kMostWorkspace);
            // Parts of a sum stay in float32.
            set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
            const auto alignment = [&p](cudaDataType_t type) {
                return uint32_t{p.aligned ? 16u : type == CUDA_R_32F ? 4u : 2u};
            };
            set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment(p.input_type));
            set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment(p.input_type));
            set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment(p.output_type));
            set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment(p.output_type));
        } catch (const Failure&) {
            handle.cublas_lt().cublasLtMatmulPreferenceDestroy(preference_);
            throw;
        }
    }
    ~Preference() { handle_.cublas_lt().cublasLtMatmulPreferenceDestroy(preference_); }
    Preference(const Preference&) = delete;
    Preference& operator=(const Preference&) = delete;

    cublasLtMatmulPreference_t get() const { return preference_; }

private:
    template <class T>
    void set(cublasLtMatmulPreferenceAttributes_t name, const T& value) const {
        handle_.check(handle_.cublas_lt().cublasLtMatmulPreferenceSetAttribute(preference_, name, &value, sizeof value),
                      "cublasLtMatmulPreferenceSetAttribute");
    }

    const CublasLtHandle& handle_;
    cublasLtMatmulPreference_t preference_ = nullptr;
};

void multiply(const Product& product, const cublasLtMatmulAlgo_t& algorithm, size_t workspace_bytes, Context& context,
              const Operands& operands, void* workspace) {
    const CublasLtHandle& handle = product.handle();
    const float one = 1;
    const float zero = 0;
    const void* a = product.a_is_first ? operands.first : operands.second;
    const void* b = product.a_is_first ? operands.second : operands.first;
    if (product.has_bias) product.set_bias(operands.bias);
    handle.check(handle.cublas_lt().cublasLtMatmul(handle.get(), product.desc, &one, a, product.a, b, product.b, &zero,
                                                   operands.out, product.d, operands.out, product.d, &algorithm,
                                                   workspace, workspace_bytes, context.compute()),
                 "cublasLtMatmul");
}

std::string algorithm_name(const CublasLtHandle& handle, const cublasLtMatmulAlgo_t& algorithm) {
    int32_t id = 0;
    size_t written = 0;
    const cublasStatus_t status = handle.cublas_lt().cublasLtMatmulAlgoConfigGetAttribute(
        &algorithm, CUBLASLT_ALGO_CONFIG_ID, &id, sizeof id, &written);
    return status == CUBLAS_STATUS_SUCCESS ? "cublaslt:algorithm " + std::to_string(id) : "cublaslt";
}

}  // namespace

CublasLtHandle::CublasLtHandle() : functions_(available_cublas_lt()) {
    check(functions_.cublasLtCreate(&handle_), "cublasLtCreate");
}

CublasLtHandle::~CublasLtHandle() {
    functions_.cublasLtDestroy(handle_);
}

void CublasLtHandle::check(cublasStatus_t status, const char* call) const {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    throw Failure(VELU_STATUS_INTERNAL, std::string(call) + ": " + functions_.cublasLtGetStatusString(status));
}

std::vector<Plan> cublas_lt_plans(const std::shared_ptr<CublasLtHandle>& handle, const CublasLtMatmul& matmul) {
    const auto product = std::make_shared<const Product>(handle, matmul);
    const Preference preference(*handle, matmul);
    // The heuristics look at the bias' alignment, not at what is there; run() sets the real one.
    if (matmul.has_bias) product->set_bias(reinterpret_cast<const void*>(uintptr_t{256}));
    constexpr size_t kMostResults = 16;
    std::array<cublasLtMatmulHeuristicResult_t, kMostResults> results = {};
    int count = 0;
    const cublasStatus_t status = handle->cublas_lt().cublasLtMatmulAlgoGetHeuristic(
        handle->get(), product->desc, product->a, product->b, product->d, product->d, preference.get(),
        static_cast<int>(std::min(matmul.most_plans, kMostResults)), results.data(), &count);
    std::vector<Plan> plans;
    if (status != CUBLAS_STATUS_SUCCESS) return plans;  // NOT_SUPPORTED: no algorithm for these types and sizes
    for (int i = 0; i < count; ++i) {
        const cublasLtMatmulHeuristicResult_t& result = results[static_cast<size_t>(i)];
        if (result.state != CUBLAS_STATUS_SUCCESS) continue;
        Plan plan;
        plan.name = algorithm_name(*handle, result.algo);
        plan.workspace = padded(result.workspaceSize);
        plan.adds_bias = matmul.has_bias;
        plan.run = [product, algorithm = result.algo, bytes = result.workspaceSize](
                       Context& context, const Operands& operands, void* workspace) {
            multiply(*product, algorithm, bytes, context, operands, workspace);
        };
        plans.push_back(std::move(plan));
    }
    return plans;
}

}  // namespace velu::cuda
