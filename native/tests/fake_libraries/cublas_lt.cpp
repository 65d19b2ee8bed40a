// libcublasLt.so.13 for tests.
#include <algorithm>
#include <cstdio>
#include <map>
#include <vector>

#include "fake.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

using namespace velu::cuda::dynlink;

struct velu::cuda::dynlink::cublasLtContext {};
struct velu::cuda::dynlink::cublasLtMatmulDescOpaque_t {
    cublasComputeType_t compute;
    int32_t transpose_a = CUBLAS_OP_N;
    int32_t transpose_b = CUBLAS_OP_N;
    uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    int32_t bias_type = -1;
    const void* bias = nullptr;
};
struct velu::cuda::dynlink::cublasLtMatrixLayoutOpaque_t {
    cudaDataType_t type;
    uint64_t rows;
    uint64_t columns;
    int64_t leading;
};
struct velu::cuda::dynlink::cublasLtMatmulPreferenceOpaque_t {
    uint64_t workspace = 0;
    uint32_t reductions = 7;
    std::map<int, uint32_t> alignments;
};

namespace {

constexpr auto kInvalidValue = static_cast<cublasStatus_t>(7);
constexpr auto kNotSupported = static_cast<cublasStatus_t>(15);
constexpr uint64_t kSlow = 10;
constexpr uint64_t kNeedsAlignment = 20;
constexpr uint64_t kFails = 30;
constexpr size_t kWorkspace = 512;

cublasStatus_t mistake(const char* what) {
    std::fprintf(stderr, "fake cuBLASLt: %s\n", what);
    fake::count("mistakes");
    return kInvalidValue;
}

struct Product {
    const void* a;
    const void* b;
    void* d;
    const float* bias;
    int64_t m, n, k;
    cublasLtMatrixLayoutOpaque_t a_layout, b_layout, d_layout;
    bool transpose_a, transpose_b, tf32;
    int milliseconds;
    void* workspace;

    void run() const {
        fake::take(milliseconds);
        std::memset(workspace, 0x7F, kWorkspace);
        const auto type = [](const cublasLtMatrixLayoutOpaque_t& layout) {
            return layout.type == CUDA_R_32F ? fake::Type::kFloat : fake::Type::kBFloat16;
        };
        const auto element = [this](fake::Type of, const void* memory, int64_t index) {
            return tf32 ? fake::to_tf32(fake::read(of, memory, index)) : fake::read(of, memory, index);
        };
        for (int64_t column = 0; column < n; ++column) {
            for (int64_t row = 0; row < m; ++row) {
                double sum = bias == nullptr ? 0 : static_cast<double>(bias[row]);
                for (int64_t i = 0; i < k; ++i) {
                    const int64_t from_a = transpose_a ? row * a_layout.leading + i : i * a_layout.leading + row;
                    const int64_t from_b = transpose_b ? i * b_layout.leading + column : column * b_layout.leading + i;
                    sum += element(type(a_layout), a, from_a) * element(type(b_layout), b, from_b);
                }
                fake::write(type(d_layout), d, column * d_layout.leading + row, sum);
            }
        }
    }
};

template <class T>
cublasStatus_t store(T& to, const void* value, size_t bytes) {
    if (bytes != sizeof(T)) return mistake("size of an attribute");
    std::memcpy(&to, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

EXPORT size_t cublasLtGetVersion() {
    return 130000;
}

EXPORT const char* cublasLtGetStatusString(cublasStatus_t status) {
    return status == kNotSupported ? "CUBLAS_STATUS_NOT_SUPPORTED" : "CUBLAS_STATUS_OTHER";
}

EXPORT cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
    *handle = new cublasLtContext;
    return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* desc, cublasComputeType_t compute,
                                               cudaDataType_t scale_type) {
    if (scale_type != CUDA_R_32F) return mistake("scale type");
    *desc = new cublasLtMatmulDescOpaque_t{compute};
    return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t name,
                                                     const void* value, size_t bytes) {
    switch (name) {
        case CUBLASLT_MATMUL_DESC_TRANSA:
            return store(desc->transpose_a, value, bytes);
        case CUBLASLT_MATMUL_DESC_TRANSB:
            return store(desc->transpose_b, value, bytes);
        case CUBLASLT_MATMUL_DESC_EPILOGUE:
            return store(desc->epilogue, value, bytes);
        case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
            return store(desc->bias, value, bytes);
        case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
            return store(desc->bias_type, value, bytes);
    }
    return mistake("attribute of a product");
}

EXPORT cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
    delete desc;
    return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType_t type, uint64_t rows,
                                                 uint64_t columns, int64_t leading) {
    if (leading < static_cast<int64_t>(rows)) return mistake("leading dimension");
    *layout = new cublasLtMatrixLayoutOpaque_t{type, rows, columns, leading};
    return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
    delete layout;
    return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
    *preference = new cublasLtMatmulPreferenceOpaque_t;
    return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                           cublasLtMatmulPreferenceAttributes_t name, const void* value,
                                                           size_t bytes) {
    switch (name) {
        case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
            return store(preference->workspace, value, bytes);
        case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
            return store(preference->reductions, value, bytes);
        default:
            return store(preference->alignments[name], value, bytes);
    }
}

EXPORT cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
    delete preference;
    return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t desc,
                                                     cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                                     cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                                     cublasLtMatmulPreference_t preference, int requested,
                                                     cublasLtMatmulHeuristicResult_t* results, int* count) {
    fake::count("heuristics");
    *count = 0;
    if (fake::setting_is("FAKE_CUBLAS_LT", "reject")) return kNotSupported;
    if (a->type != b->type || c->type != d->type) return mistake("types of a product");
    if (preference->workspace < kWorkspace || preference->reductions != CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE ||
        preference->alignments.size() != 4) {
        return mistake("preference");
    }
    if (desc->compute == CUBLAS_COMPUTE_32F_FAST_TF32 && a->type != CUDA_R_32F) return mistake("TF32 of BF16");
    if (desc->epilogue == CUBLASLT_EPILOGUE_BIAS) {
        if (desc->bias == nullptr) return mistake("no bias");
        if (desc->bias_type != d->type) return kNotSupported;  // as cuBLASLt wants it
    }
    bool aligned = true;
    for (const auto& [name, bytes] : preference->alignments) aligned = aligned && bytes >= 16;
    for (const uint64_t id : {kFails, kSlow, kNeedsAlignment}) {
        if (*count == requested || (id == kNeedsAlignment && !aligned)) continue;
        cublasLtMatmulHeuristicResult_t& result = results[(*count)++];
        result = {};
        result.algo.data[0] = id;
        result.workspaceSize = kWorkspace;
    }
    return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t* algorithm,
                                                           cublasLtMatmulAlgoConfigAttributes_t name, void* value,
                                                           size_t bytes, size_t* written) {
    if (name != CUBLASLT_ALGO_CONFIG_ID || bytes != sizeof(int32_t)) return mistake("attribute of an algorithm");
    const auto id = static_cast<int32_t>(algorithm->data[0]);
    std::memcpy(value, &id, sizeof id);
    *written = sizeof id;
    return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc, const void* alpha, const void* a,
                                     cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                                     const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                                     cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algorithm,
                                     void* workspace, size_t bytes, cudaStream_t stream) {
    if (*static_cast<const float*>(alpha) != 1 || *static_cast<const float*>(beta) != 0) return mistake("alpha, beta");
    if (c != d || c_layout != d_layout) return mistake("C is not D");
    if (workspace == nullptr || bytes < kWorkspace || !fake::aligned(workspace, 256)) return mistake("workspace");
    const bool transpose_a = desc->transpose_a == CUBLAS_OP_T;
    const bool transpose_b = desc->transpose_b == CUBLAS_OP_T;
    Product p = {};
    p.m = static_cast<int64_t>(transpose_a ? a_layout->columns : a_layout->rows);
    p.k = static_cast<int64_t>(transpose_a ? a_layout->rows : a_layout->columns);
    p.n = static_cast<int64_t>(transpose_b ? b_layout->rows : b_layout->columns);
    if (static_cast<uint64_t>(p.k) != (transpose_b ? b_layout->columns : b_layout->rows) ||
        static_cast<uint64_t>(p.m) != d_layout->rows || static_cast<uint64_t>(p.n) != d_layout->columns) {
        return mistake("sizes of a product");
    }
    const uint64_t id = algorithm->data[0];
    if (id == kFails) return kNotSupported;
    p.bias = desc->epilogue == CUBLASLT_EPILOGUE_BIAS ? static_cast<const float*>(desc->bias) : nullptr;
    if (id == kNeedsAlignment) {
        for (const void* memory : {a, b, static_cast<const void*>(d), static_cast<const void*>(p.bias)}) {
            if (!fake::aligned(memory, 16)) return mistake("memory is not as aligned as was said");
        }
    }
    p.a = a;
    p.b = b;
    p.d = d;
    p.a_layout = *a_layout;
    p.b_layout = *b_layout;
    p.d_layout = *d_layout;
    p.transpose_a = transpose_a;
    p.transpose_b = transpose_b;
    p.tf32 = desc->compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    p.milliseconds = id == kSlow ? 3 : 0;
    p.workspace = workspace;
    fake::count("executions");
    const auto put = emulator::find_enqueue();
    if (put == nullptr) return mistake("no emulated stream");
    put(
        stream, [](const void* data) { static_cast<const Product*>(data)->run(); }, &p, sizeof p);
    return CUBLAS_STATUS_SUCCESS;
}
