// libcudnn_cnn.so.9 (with what libcudnn_ops.so.9 has) for tests: the older API.
#include <algorithm>
#include <cstdio>

#include "fake.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

using namespace velu::cuda::dynlink;

struct velu::cuda::dynlink::cudnnTensorStruct {
    int type = -1;
    int64_t size[4] = {};
};
struct velu::cuda::dynlink::cudnnFilterStruct {
    int type = -1;
    int64_t size[4] = {};
};
struct velu::cuda::dynlink::cudnnConvolutionStruct {
    int64_t padding[2] = {}, stride[2] = {}, dilation[2] = {};
    int groups = 1;
    cudnnMathType_t math = CUDNN_DEFAULT_MATH;
};

namespace {

constexpr auto kBadParameter = static_cast<cudnnStatus_t>(2000);
constexpr auto kNotSupported = static_cast<cudnnStatus_t>(3000);
constexpr size_t kWorkspace = 1024;

cudnnStatus_t mistake(const char* what) {
    std::fprintf(stderr, "fake cuDNN: %s\n", what);
    fake::count("mistakes");
    return kBadParameter;
}

template <class Algorithm>
cudnnStatus_t answer(const cudnnConvolutionDescriptor_t convolution, int requested, int* count,
                     ConvolutionAlgoPerf<Algorithm>* results, std::initializer_list<int> algorithms,
                     std::initializer_list<int> nondeterministic) {
    fake::count("heuristics");
    if (fake::setting_is("FAKE_CUDNN_LEGACY", "reject")) return kNotSupported;
    *count = 0;
    for (const int algorithm : algorithms) {
        if (*count == requested) break;
        ConvolutionAlgoPerf<Algorithm>& result = results[(*count)++];
        result.algo = static_cast<Algorithm>(algorithm);
        result.status = CUDNN_STATUS_SUCCESS;
        result.memory = kWorkspace;
        const bool varies =
            std::find(nondeterministic.begin(), nondeterministic.end(), algorithm) != nondeterministic.end();
        result.determinism = varies ? CUDNN_NON_DETERMINISTIC : CUDNN_DETERMINISTIC;
        result.mathType = convolution->math;
    }
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t compute(fake::Pass pass, cudnnHandle_t handle, const void* alpha, const void* beta,
                      const cudnnTensorDescriptor_t xd, const void* x, const cudnnFilterDescriptor_t wd, const void* w,
                      const cudnnTensorDescriptor_t yd, const void* y, const cudnnConvolutionDescriptor_t convolution,
                      void* workspace, size_t bytes) {
    if (*static_cast<const float*>(alpha) != 1 || *static_cast<const float*>(beta) != 0) return mistake("alpha, beta");
    if (workspace == nullptr || bytes != kWorkspace) return mistake("workspace");
    if (xd->type != wd->type || xd->type != yd->type) return mistake("types differ");
    fake::Convolution c = {};
    c.pass = pass;
    std::copy(xd->size, xd->size + 4, c.image);
    std::copy(wd->size, wd->size + 4, c.filter);
    std::copy(yd->size, yd->size + 4, c.output);
    c.output_pitch = c.output[1];
    std::copy(convolution->padding, convolution->padding + 2, c.padding);
    std::copy(convolution->stride, convolution->stride + 2, c.stride);
    std::copy(convolution->dilation, convolution->dilation + 2, c.dilation);
    if (!c.consistent() || c.groups() != convolution->groups) return mistake("sizes do not match");
    c.image_type = c.filter_type = c.output_type =
        xd->type == CUDNN_DATA_FLOAT ? fake::Type::kFloat : fake::Type::kBFloat16;
    c.image_memory = const_cast<void*>(x);
    c.filter_memory = const_cast<void*>(w);
    c.output_memory = const_cast<void*>(y);
    c.workspace = workspace;
    c.workspace_bytes = static_cast<int64_t>(bytes);
    c.tf32 = c.image_type == fake::Type::kFloat && convolution->math != CUDNN_FMA_MATH;
    fake::count("executions");
    return fake::enqueue(handle->stream, c) ? CUDNN_STATUS_SUCCESS : mistake("no emulated stream");
}

}  // namespace

EXPORT cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* descriptor) {
    *descriptor = new cudnnTensorStruct;
    return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t descriptor, cudnnTensorFormat_t format,
                                                cudnnDataType_t type, int n, int c, int h, int w) {
    if (format != CUDNN_TENSOR_NHWC) return mistake("format");
    *descriptor = {type, {n, c, h, w}};
    return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t descriptor) {
    delete descriptor;
    return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* descriptor) {
    *descriptor = new cudnnFilterStruct;
    return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t descriptor, cudnnDataType_t type,
                                                cudnnTensorFormat_t format, int k, int c, int h, int w) {
    if (format != CUDNN_TENSOR_NHWC) return mistake("format");
    *descriptor = {type, {k, c, h, w}};
    return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t descriptor) {
    delete descriptor;
    return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* descriptor) {
    *descriptor = new cudnnConvolutionStruct;
    return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t d, int padding_height,
                                                     int padding_width, int stride_height, int stride_width,
                                                     int dilation_height, int dilation_width,
                                                     cudnnConvolutionMode_t mode, cudnnDataType_t compute_type) {
    if (mode != CUDNN_CROSS_CORRELATION || compute_type != CUDNN_DATA_FLOAT) return mistake("mode or compute type");
    d->padding[0] = padding_height;
    d->padding[1] = padding_width;
    d->stride[0] = stride_height;
    d->stride[1] = stride_width;
    d->dilation[0] = dilation_height;
    d->dilation[1] = dilation_width;
    return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t d, int groups) {
    d->groups = groups;
    return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t d, cudnnMathType_t type) {
    d->math = type;
    return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t descriptor) {
    delete descriptor;
    return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t, const cudnnTensorDescriptor_t,
                                                            const cudnnFilterDescriptor_t,
                                                            const cudnnConvolutionDescriptor_t convolution,
                                                            const cudnnTensorDescriptor_t, int requested, int* count,
                                                            cudnnConvolutionFwdAlgoPerf_t* results) {
    return answer(convolution, requested, count, results, {6, 1, 0}, {});  // 6 is Winograd's
}

EXPORT cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnnHandle_t, const cudnnFilterDescriptor_t,
                                                                 const cudnnTensorDescriptor_t,
                                                                 const cudnnConvolutionDescriptor_t convolution,
                                                                 const cudnnTensorDescriptor_t, int requested,
                                                                 int* count,
                                                                 cudnnConvolutionBwdDataAlgoPerf_t* results) {
    return answer(convolution, requested, count, results, {0, 1}, {0});
}

EXPORT cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnnHandle_t, const cudnnTensorDescriptor_t,
                                                                   const cudnnTensorDescriptor_t,
                                                                   const cudnnConvolutionDescriptor_t convolution,
                                                                   const cudnnFilterDescriptor_t, int requested,
                                                                   int* count,
                                                                   cudnnConvolutionBwdFilterAlgoPerf_t* results) {
    return answer(convolution, requested, count, results, {0, 3, 1}, {0, 3});
}

EXPORT cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void* alpha, const cudnnTensorDescriptor_t xd,
                                             const void* x, const cudnnFilterDescriptor_t wd, const void* w,
                                             const cudnnConvolutionDescriptor_t convolution, cudnnConvolutionFwdAlgo_t,
                                             void* workspace, size_t bytes, const void* beta,
                                             const cudnnTensorDescriptor_t yd, void* y) {
    return compute(fake::Pass::kForward, handle, alpha, beta, xd, x, wd, w, yd, y, convolution, workspace, bytes);
}

EXPORT cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void* alpha,
                                                  const cudnnFilterDescriptor_t wd, const void* w,
                                                  const cudnnTensorDescriptor_t dyd, const void* dy,
                                                  const cudnnConvolutionDescriptor_t convolution,
                                                  cudnnConvolutionBwdDataAlgo_t, void* workspace, size_t bytes,
                                                  const void* beta, const cudnnTensorDescriptor_t dxd, void* dx) {
    return compute(fake::Pass::kBackwardData, handle, alpha, beta, dxd, dx, wd, w, dyd, dy, convolution, workspace,
                   bytes);
}

EXPORT cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void* alpha,
                                                    const cudnnTensorDescriptor_t xd, const void* x,
                                                    const cudnnTensorDescriptor_t dyd, const void* dy,
                                                    const cudnnConvolutionDescriptor_t convolution,
                                                    cudnnConvolutionBwdFilterAlgo_t, void* workspace, size_t bytes,
                                                    const void* beta, const cudnnFilterDescriptor_t dwd, void* dw) {
    return compute(fake::Pass::kBackwardWeights, handle, alpha, beta, xd, x, dwd, dw, dyd, dy, convolution, workspace,
                   bytes);
}
