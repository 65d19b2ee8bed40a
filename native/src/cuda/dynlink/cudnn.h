// The part of cuDNN 9 that the backend uses, declared here because it is compiled without cuDNN's headers. Names,
// values and layouts are cuDNN's; check_headers.cu compares them with the real headers wherever these exist.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

namespace velu::cuda::dynlink {

enum cudnnStatus_t : int { CUDNN_STATUS_SUCCESS = 0 };

enum cudnnDataType_t : int { CUDNN_DATA_FLOAT = 0, CUDNN_DATA_BFLOAT16 = 9 };

enum cudnnConvolutionMode_t : int { CUDNN_CROSS_CORRELATION = 1 };

// ---------------------------------------------------------------------------------------------------------------------
// The graph API: descriptors that are filled attribute by attribute and then finalized

enum cudnnBackendDescriptorType_t : int {
    CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR = 1,
    CUDNN_BACKEND_ENGINE_DESCRIPTOR = 2,
    CUDNN_BACKEND_ENGINECFG_DESCRIPTOR = 3,
    CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR = 4,
    CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR = 5,
    CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR = 7,
    CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR = 10,
    CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR = 11,
    CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR = 12,
    CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR = 15,
    CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR = 16,
    CUDNN_BACKEND_TENSOR_DESCRIPTOR = 17,
};

enum cudnnBackendAttributeName_t : int {
    CUDNN_ATTR_CONVOLUTION_COMP_TYPE = 100,
    CUDNN_ATTR_CONVOLUTION_CONV_MODE = 101,
    CUDNN_ATTR_CONVOLUTION_DILATIONS = 102,
    CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES = 103,
    CUDNN_ATTR_CONVOLUTION_POST_PADDINGS = 104,
    CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS = 105,
    CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS = 106,
    CUDNN_ATTR_ENGINEHEUR_MODE = 200,
    CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH = 201,
    CUDNN_ATTR_ENGINEHEUR_RESULTS = 202,
    CUDNN_ATTR_ENGINECFG_ENGINE = 300,
    CUDNN_ATTR_ENGINECFG_KNOB_CHOICES = 302,
    CUDNN_ATTR_EXECUTION_PLAN_HANDLE = 400,
    CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG = 401,
    CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE = 402,
    CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE = 600,
    CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE = 601,
    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA = 700,
    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA = 701,
    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC = 702,
    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W = 703,
    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X = 704,
    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y = 705,
    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA = 706,
    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA = 707,
    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC = 708,
    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W = 709,
    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX = 710,
    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY = 711,
    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA = 712,
    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA = 713,
    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC = 714,
    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW = 715,
    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X = 716,
    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY = 717,
    CUDNN_ATTR_OPERATIONGRAPH_HANDLE = 800,
    CUDNN_ATTR_OPERATIONGRAPH_OPS = 801,
    CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT = 900,
    CUDNN_ATTR_TENSOR_DATA_TYPE = 901,
    CUDNN_ATTR_TENSOR_DIMENSIONS = 902,
    CUDNN_ATTR_TENSOR_STRIDES = 903,
    CUDNN_ATTR_TENSOR_UNIQUE_ID = 906,
    CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS = 1000,
    CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS = 1001,
    CUDNN_ATTR_VARIANT_PACK_WORKSPACE = 1003,
    CUDNN_ATTR_ENGINE_GLOBAL_INDEX = 1301,
    CUDNN_ATTR_ENGINE_NUMERICAL_NOTE = 1303,
    CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE = 1305,
};

enum cudnnBackendAttributeType_t : int {
    CUDNN_TYPE_HANDLE = 0,
    CUDNN_TYPE_DATA_TYPE = 1,
    CUDNN_TYPE_INT64 = 3,
    CUDNN_TYPE_FLOAT = 4,
    CUDNN_TYPE_VOID_PTR = 6,
    CUDNN_TYPE_CONVOLUTION_MODE = 7,
    CUDNN_TYPE_HEUR_MODE = 8,
    CUDNN_TYPE_KNOB_TYPE = 9,
    CUDNN_TYPE_NUMERICAL_NOTE = 11,
    CUDNN_TYPE_BACKEND_DESCRIPTOR = 15,
    CUDNN_TYPE_BEHAVIOR_NOTE = 19,
};

enum cudnnBackendHeurMode_t : int {
    CUDNN_HEUR_MODE_INSTANT = 0,
    CUDNN_HEUR_MODE_B = 1,
    CUDNN_HEUR_MODE_FALLBACK = 2,
    CUDNN_HEUR_MODE_A = 3,
};

enum cudnnBackendNumericalNote_t : int {
    CUDNN_NUMERICAL_NOTE_TENSOR_CORE = 0,
    CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS = 1,
    CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION = 2,
    CUDNN_NUMERICAL_NOTE_FFT = 3,
    CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC = 4,
    CUDNN_NUMERICAL_NOTE_WINOGRAD = 5,
    CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4 = 6,
    CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6 = 7,
    CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13 = 8,
};

enum cudnnBackendBehaviorNote_t : int {
    CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION = 0,
    CUDNN_BEHAVIOR_NOTE_REQUIRES_FILTER_INT8x32_REORDER = 1,
    CUDNN_BEHAVIOR_NOTE_REQUIRES_BIAS_INT8x32_REORDER = 2,
};

enum cudnnBackendKnobType_t : int { CUDNN_KNOB_TYPE_SPLIT_K = 0 };  // cuDNN has many more

using cudnnHandle_t = struct cudnnContext*;
using cudnnBackendDescriptor_t = void*;

// ---------------------------------------------------------------------------------------------------------------------
// The older API: one call per pass

enum cudnnTensorFormat_t : int { CUDNN_TENSOR_NHWC = 1 };

enum cudnnMathType_t : int { CUDNN_DEFAULT_MATH = 0, CUDNN_TENSOR_OP_MATH = 1, CUDNN_FMA_MATH = 3 };

enum cudnnDeterminism_t : int { CUDNN_NON_DETERMINISTIC = 0, CUDNN_DETERMINISTIC = 1 };

/// Algorithms of one pass; the numbers mean different ones in each.
enum cudnnConvolutionFwdAlgo_t : int {
    CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM = 0,
    CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM = 1,
    CUDNN_CONVOLUTION_FWD_ALGO_GEMM = 2,
};
enum cudnnConvolutionBwdDataAlgo_t : int { CUDNN_CONVOLUTION_BWD_DATA_ALGO_1 = 1 };
enum cudnnConvolutionBwdFilterAlgo_t : int { CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1 = 1 };

/// What the heuristics answer; the three passes' structs differ only in the type of algo.
template <class Algorithm>
struct ConvolutionAlgoPerf {
    Algorithm algo;
    cudnnStatus_t status;
    float time;
    size_t memory;
    cudnnDeterminism_t determinism;
    cudnnMathType_t mathType;
    int reserved[3];
};
using cudnnConvolutionFwdAlgoPerf_t = ConvolutionAlgoPerf<cudnnConvolutionFwdAlgo_t>;
using cudnnConvolutionBwdDataAlgoPerf_t = ConvolutionAlgoPerf<cudnnConvolutionBwdDataAlgo_t>;
using cudnnConvolutionBwdFilterAlgoPerf_t = ConvolutionAlgoPerf<cudnnConvolutionBwdFilterAlgo_t>;

using cudnnTensorDescriptor_t = struct cudnnTensorStruct*;
using cudnnFilterDescriptor_t = struct cudnnFilterStruct*;
using cudnnConvolutionDescriptor_t = struct cudnnConvolutionStruct*;

// ---------------------------------------------------------------------------------------------------------------------

/// Functions of libcudnn_graph.
#define VELU_CUDNN_GRAPH_FUNCTIONS(X) \
    X(cudnnGetVersion)                \
    X(cudnnGetCudartVersion)          \
    X(cudnnGetErrorString)            \
    X(cudnnGetLastErrorString)        \
    X(cudnnCreate)                    \
    X(cudnnDestroy)                   \
    X(cudnnSetStream)                 \
    X(cudnnBackendCreateDescriptor)   \
    X(cudnnBackendDestroyDescriptor)  \
    X(cudnnBackendFinalize)           \
    X(cudnnBackendSetAttribute)       \
    X(cudnnBackendGetAttribute)       \
    X(cudnnBackendExecute)

/// Functions of libcudnn_cnn and of libcudnn_ops, which it brings along.
#define VELU_CUDNN_CNN_FUNCTIONS(X)                  \
    X(cudnnCreateTensorDescriptor)                   \
    X(cudnnSetTensor4dDescriptor)                    \
    X(cudnnDestroyTensorDescriptor)                  \
    X(cudnnCreateFilterDescriptor)                   \
    X(cudnnSetFilter4dDescriptor)                    \
    X(cudnnDestroyFilterDescriptor)                  \
    X(cudnnCreateConvolutionDescriptor)              \
    X(cudnnSetConvolution2dDescriptor)               \
    X(cudnnSetConvolutionGroupCount)                 \
    X(cudnnSetConvolutionMathType)                   \
    X(cudnnDestroyConvolutionDescriptor)             \
    X(cudnnGetConvolutionForwardAlgorithm_v7)        \
    X(cudnnGetConvolutionBackwardDataAlgorithm_v7)   \
    X(cudnnGetConvolutionBackwardFilterAlgorithm_v7) \
    X(cudnnConvolutionForward)                       \
    X(cudnnConvolutionBackwardData)                  \
    X(cudnnConvolutionBackwardFilter)

/// cuDNN's functions, under their own names.
struct Cudnn {
    size_t (*cudnnGetVersion)();
    size_t (*cudnnGetCudartVersion)();
    const char* (*cudnnGetErrorString)(cudnnStatus_t status);
    void (*cudnnGetLastErrorString)(char* message, size_t max_size);
    cudnnStatus_t (*cudnnCreate)(cudnnHandle_t* handle);
    cudnnStatus_t (*cudnnDestroy)(cudnnHandle_t handle);
    cudnnStatus_t (*cudnnSetStream)(cudnnHandle_t handle, cudaStream_t stream);

    cudnnStatus_t (*cudnnBackendCreateDescriptor)(cudnnBackendDescriptorType_t type,
                                                  cudnnBackendDescriptor_t* descriptor);
    cudnnStatus_t (*cudnnBackendDestroyDescriptor)(cudnnBackendDescriptor_t descriptor);
    cudnnStatus_t (*cudnnBackendFinalize)(cudnnBackendDescriptor_t descriptor);
    cudnnStatus_t (*cudnnBackendSetAttribute)(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                              cudnnBackendAttributeType_t type, int64_t count, const void* elements);
    cudnnStatus_t (*cudnnBackendGetAttribute)(const cudnnBackendDescriptor_t descriptor,
                                              cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                                              int64_t requested_count, int64_t* count, void* elements);
    cudnnStatus_t (*cudnnBackendExecute)(cudnnHandle_t handle, cudnnBackendDescriptor_t execution_plan,
                                         cudnnBackendDescriptor_t variant_pack);

    cudnnStatus_t (*cudnnCreateTensorDescriptor)(cudnnTensorDescriptor_t* descriptor);
    cudnnStatus_t (*cudnnSetTensor4dDescriptor)(cudnnTensorDescriptor_t descriptor, cudnnTensorFormat_t format,
                                                cudnnDataType_t type, int n, int c, int h, int w);
    cudnnStatus_t (*cudnnDestroyTensorDescriptor)(cudnnTensorDescriptor_t descriptor);
    cudnnStatus_t (*cudnnCreateFilterDescriptor)(cudnnFilterDescriptor_t* descriptor);
    cudnnStatus_t (*cudnnSetFilter4dDescriptor)(cudnnFilterDescriptor_t descriptor, cudnnDataType_t type,
                                                cudnnTensorFormat_t format, int k, int c, int h, int w);
    cudnnStatus_t (*cudnnDestroyFilterDescriptor)(cudnnFilterDescriptor_t descriptor);
    cudnnStatus_t (*cudnnCreateConvolutionDescriptor)(cudnnConvolutionDescriptor_t* descriptor);
    cudnnStatus_t (*cudnnSetConvolution2dDescriptor)(cudnnConvolutionDescriptor_t descriptor, int padding_height,
                                                     int padding_width, int stride_height, int stride_width,
                                                     int dilation_height, int dilation_width,
                                                     cudnnConvolutionMode_t mode, cudnnDataType_t compute_type);
    cudnnStatus_t (*cudnnSetConvolutionGroupCount)(cudnnConvolutionDescriptor_t descriptor, int groups);
    cudnnStatus_t (*cudnnSetConvolutionMathType)(cudnnConvolutionDescriptor_t descriptor, cudnnMathType_t type);
    cudnnStatus_t (*cudnnDestroyConvolutionDescriptor)(cudnnConvolutionDescriptor_t descriptor);

    cudnnStatus_t (*cudnnGetConvolutionForwardAlgorithm_v7)(cudnnHandle_t handle, const cudnnTensorDescriptor_t x,
                                                            const cudnnFilterDescriptor_t w,
                                                            const cudnnConvolutionDescriptor_t convolution,
                                                            const cudnnTensorDescriptor_t y, int requested_count,
                                                            int* count, cudnnConvolutionFwdAlgoPerf_t* results);
    cudnnStatus_t (*cudnnGetConvolutionBackwardDataAlgorithm_v7)(cudnnHandle_t handle, const cudnnFilterDescriptor_t w,
                                                                 const cudnnTensorDescriptor_t dy,
                                                                 const cudnnConvolutionDescriptor_t convolution,
                                                                 const cudnnTensorDescriptor_t dx, int requested_count,
                                                                 int* count,
                                                                 cudnnConvolutionBwdDataAlgoPerf_t* results);
    cudnnStatus_t (*cudnnGetConvolutionBackwardFilterAlgorithm_v7)(
        cudnnHandle_t handle, const cudnnTensorDescriptor_t x, const cudnnTensorDescriptor_t dy,
        const cudnnConvolutionDescriptor_t convolution, const cudnnFilterDescriptor_t dw, int requested_count,
        int* count, cudnnConvolutionBwdFilterAlgoPerf_t* results);

    cudnnStatus_t (*cudnnConvolutionForward)(cudnnHandle_t handle, const void* alpha, const cudnnTensorDescriptor_t xd,
                                             const void* x, const cudnnFilterDescriptor_t wd, const void* w,
                                             const cudnnConvolutionDescriptor_t convolution,
                                             cudnnConvolutionFwdAlgo_t algorithm, void* workspace, size_t bytes,
                                             const void* beta, const cudnnTensorDescriptor_t yd, void* y);
    cudnnStatus_t (*cudnnConvolutionBackwardData)(cudnnHandle_t handle, const void* alpha,
                                                  const cudnnFilterDescriptor_t wd, const void* w,
                                                  const cudnnTensorDescriptor_t dyd, const void* dy,
                                                  const cudnnConvolutionDescriptor_t convolution,
                                                  cudnnConvolutionBwdDataAlgo_t algorithm, void* workspace,
                                                  size_t bytes, const void* beta, const cudnnTensorDescriptor_t dxd,
                                                  void* dx);
    cudnnStatus_t (*cudnnConvolutionBackwardFilter)(cudnnHandle_t handle, const void* alpha,
                                                    const cudnnTensorDescriptor_t xd, const void* x,
                                                    const cudnnTensorDescriptor_t dyd, const void* dy,
                                                    const cudnnConvolutionDescriptor_t convolution,
                                                    cudnnConvolutionBwdFilterAlgo_t algorithm, void* workspace,
                                                    size_t bytes, const void* beta, const cudnnFilterDescriptor_t dwd,
                                                    void* dw);
};

}  // namespace velu::cuda::dynlink
