// cuDNN's older API: a descriptor per tensor, one call per pass, algorithms ranked by its own heuristics.
#include "cuda/conv2d_cudnn.h"

#include "cuda/conv2d_geometry.h"

#include <algorithm>
#include <cstdint>

namespace velu::cuda {
namespace {

using namespace dynlink;  // cuDNN's names carry their own prefix

/// The four descriptors of one convolution.
class Descriptors {
public:
    Descriptors(std::shared_ptr<CudnnHandle> handle, const CudnnConv2d& c, cudnnMathType_t math)
        : handle_(std::move(handle)) {
        try {
            create(c, math);
        } catch (const Failure&) {
            destroy();
            throw;
        }
    }
    ~Descriptors() { destroy(); }
    Descriptors(const Descriptors&) = delete;
    Descriptors& operator=(const Descriptors&) = delete;

    const CudnnHandle& handle() const { return *handle_; }

    cudnnTensorDescriptor_t image = nullptr;
    cudnnTensorDescriptor_t output = nullptr;
    cudnnFilterDescriptor_t filter = nullptr;
    cudnnConvolutionDescriptor_t convolution = nullptr;

private:
    void create(const CudnnConv2d& c, cudnnMathType_t math) {
        const CudnnHandle& h = *handle_;
        const Cudnn& f = h.cudnn();
        const Conv2dGeometry g(c.desc);
        const cudnnDataType_t type = c.desc.dtype == VELU_DTYPE_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
        const auto number = [](int64_t value) { return static_cast<int>(value); };
        h.check(f.cudnnCreateTensorDescriptor(&image), "cudnnCreateTensorDescriptor");
        h.check(f.cudnnCreateTensorDescriptor(&output), "cudnnCreateTensorDescriptor");
        h.check(f.cudnnCreateFilterDescriptor(&filter), "cudnnCreateFilterDescriptor");
        h.check(f.cudnnCreateConvolutionDescriptor(&convolution), "cudnnCreateConvolutionDescriptor");
        h.check(f.cudnnSetTensor4dDescriptor(image, CUDNN_TENSOR_NHWC, type, number(g.batch), number(g.in_channels),
                                             number(g.in_height), number(g.in_width)),
                "cudnnSetTensor4dDescriptor");
        h.check(f.cudnnSetTensor4dDescriptor(output, CUDNN_TENSOR_NHWC, type, number(g.batch), number(g.out_channels),
                                             number(g.out_height), number(g.out_width)),
                "cudnnSetTensor4dDescriptor");
        h.check(f.cudnnSetFilter4dDescriptor(filter, type, CUDNN_TENSOR_NHWC, number(g.out_channels),
                                             number(g.group_in), number(g.kernel_height), number(g.kernel_width)),
                "cudnnSetFilter4dDescriptor");
        h.check(f.cudnnSetConvolution2dDescriptor(convolution, number(g.padding_height), number(g.padding_width),
                                                  number(g.stride_height), number(g.stride_width),
                                                  number(g.dilation_height), number(g.dilation_width),
                                                  CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
                "cudnnSetConvolution2dDescriptor");
        h.check(f.cudnnSetConvolutionGroupCount(convolution, number(g.groups)), "cudnnSetConvolutionGroupCount");
        h.check(f.cudnnSetConvolutionMathType(convolution, math), "cudnnSetConvolutionMathType");
    }
    void destroy() {
        const Cudnn& f = handle_->cudnn();
        if (image != nullptr) f.cudnnDestroyTensorDescriptor(image);
        if (output != nullptr) f.cudnnDestroyTensorDescriptor(output);
        if (filter != nullptr) f.cudnnDestroyFilterDescriptor(filter);
        if (convolution != nullptr) f.cudnnDestroyConvolutionDescriptor(convolution);
    }

    std::shared_ptr<CudnnHandle> handle_;
};

/// The sizes are passed as int.
bool fits_int(const velu_conv2d_desc& d) {
    const Conv2dGeometry g(d);
    return std::max({g.batch, g.in_height, g.in_width, g.in_channels, g.out_height, g.out_width, g.out_channels}) <=
           INT32_MAX;
}

void run(const Descriptors& d, cudnnConvolutionFwdAlgo_t algorithm, size_t bytes, const Operands& o, void* workspace) {
    const float one = 1;
    const float zero = 0;
    d.handle().check(
        d.handle().cudnn().cudnnConvolutionForward(d.handle().get(), &one, d.image, o.first, d.filter, o.second,
                                                   d.convolution, algorithm, workspace, bytes, &zero, d.output, o.out),
        "cudnnConvolutionForward");
}

void run(const Descriptors& d, cudnnConvolutionBwdDataAlgo_t algorithm, size_t bytes, const Operands& o,
         void* workspace) {
    const float one = 1;
    const float zero = 0;
    d.handle().check(d.handle().cudnn().cudnnConvolutionBackwardData(d.handle().get(), &one, d.filter, o.second,
                                                                     d.output, o.first, d.convolution, algorithm,
                                                                     workspace, bytes, &zero, d.image, o.out),
                     "cudnnConvolutionBackwardData");
}

void run(const Descriptors& d, cudnnConvolutionBwdFilterAlgo_t algorithm, size_t bytes, const Operands& o,
         void* workspace) {
    const float one = 1;
    const float zero = 0;
    d.handle().check(d.handle().cudnn().cudnnConvolutionBackwardFilter(d.handle().get(), &one, d.image, o.first,
                                                                       d.output, o.second, d.convolution, algorithm,
                                                                       workspace, bytes, &zero, d.filter, o.out),
                     "cudnnConvolutionBackwardFilter");
}

// Of the algorithms, only direct products of matrices in a fixed order; see is_suitable of the graph API.
bool is_suitable(cudnnConvolutionFwdAlgo_t algorithm) {
    return algorithm == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM ||
           algorithm == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM ||
           algorithm == CUDNN_CONVOLUTION_FWD_ALGO_GEMM;
}
bool is_suitable(cudnnConvolutionBwdDataAlgo_t algorithm) {
    return algorithm == CUDNN_CONVOLUTION_BWD_DATA_ALGO_1;
}
bool is_suitable(cudnnConvolutionBwdFilterAlgo_t algorithm) {
    return algorithm == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1;
}

template <class Performance>
std::vector<Plan> plans(const std::shared_ptr<CudnnHandle>& handle, const CudnnConv2d& c, cudnnMathType_t math,
                        const Performance* results, int count) {
    std::vector<Plan> found;
    for (int i = 0; i < count && found.size() < c.most_plans; ++i) {
        const Performance& result = results[i];
        if (result.status != CUDNN_STATUS_SUCCESS || result.determinism != CUDNN_DETERMINISTIC ||
            !is_suitable(result.algo) || result.memory > c.workspace_limit) {
            continue;
        }
        if (math == CUDNN_FMA_MATH && result.mathType != CUDNN_FMA_MATH) continue;
        const auto descriptors = std::make_shared<const Descriptors>(handle, c, result.mathType);
        Plan plan;
        plan.name = "cudnn:algorithm " + std::to_string(result.algo);
        plan.workspace = padded(result.memory);
        plan.run = [descriptors, algorithm = result.algo, bytes = result.memory](Context&, const Operands& operands,
                                                                                 void* workspace) {
            run(*descriptors, algorithm, bytes, operands, workspace);
        };
        if (c.round_dweight) plan = with_widened_dweight(std::move(plan), Conv2dGeometry(c.desc).weights());
        found.push_back(std::move(plan));
    }
    return found;
}

}  // namespace

std::vector<Plan> conv2d_cudnn_legacy(const std::shared_ptr<CudnnHandle>& handle, const CudnnConv2d& convolution) {
    if (!fits_int(convolution.desc)) return {};
    const bool is_f32 = convolution.desc.dtype == VELU_DTYPE_F32;
    // By default cuDNN may round float32 to TF32.
    const cudnnMathType_t math = is_f32 && !convolution.allow_tf32 ? CUDNN_FMA_MATH : CUDNN_TENSOR_OP_MATH;
    const Descriptors d(handle, convolution, math);
    const Cudnn& f = handle->cudnn();
    constexpr int kMostResults = 16;
    int count = 0;
    switch (convolution.pass) {
        case VELU_PASS_FORWARD: {
            cudnnConvolutionFwdAlgoPerf_t results[kMostResults] = {};
            handle->check(f.cudnnGetConvolutionForwardAlgorithm_v7(handle->get(), d.image, d.filter, d.convolution,
                                                                   d.output, kMostResults, &count, results),
                          "cudnnGetConvolutionForwardAlgorithm_v7");
            return plans(handle, convolution, math, results, count);
        }
        case VELU_PASS_BACKWARD_DATA: {
            cudnnConvolutionBwdDataAlgoPerf_t results[kMostResults] = {};
            handle->check(f.cudnnGetConvolutionBackwardDataAlgorithm_v7(
                              handle->get(), d.filter, d.output, d.convolution, d.image, kMostResults, &count, results),
                          "cudnnGetConvolutionBackwardDataAlgorithm_v7");
            return plans(handle, convolution, math, results, count);
        }
        default: {
            cudnnConvolutionBwdFilterAlgoPerf_t results[kMostResults] = {};
            handle->check(f.cudnnGetConvolutionBackwardFilterAlgorithm_v7(
                              handle->get(), d.image, d.output, d.convolution, d.filter, kMostResults, &count, results),
                          "cudnnGetConvolutionBackwardFilterAlgorithm_v7");
            return plans(handle, convolution, math, results, count);
        }
    }
}

}  // namespace velu::cuda
