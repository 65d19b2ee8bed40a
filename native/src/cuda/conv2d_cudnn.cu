#include "cuda/conv2d_cudnn.h"

#include "cuda/conv2d_geometry.h"
#include "cuda/element.cuh"
#include "cuda/launch.cuh"

#include <algorithm>
#include <array>

namespace velu::cuda {
namespace {

using namespace dynlink;  // cuDNN's names carry their own prefix

constexpr int64_t kImageId = 1;   // x or dx
constexpr int64_t kFilterId = 2;  // weight or dweight
constexpr int64_t kOutputId = 3;  // y or dy

/// Everything an execution plan was made from.
struct GraphPlan {
    std::shared_ptr<CudnnHandle> handle;
    std::shared_ptr<std::vector<CudnnDescriptor>> graph;  // tensors, convolution, operation, operation graph
    CudnnDescriptor config;
    CudnnDescriptor plan;
    int32_t pass;
};

cudnnDataType_t data_type(int32_t dtype) {
    return dtype == VELU_DTYPE_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
}

CudnnDescriptor tensor(const CudnnHandle& handle, int64_t id, cudnnDataType_t type, bool aligned,
                       const std::array<int64_t, 4>& dimensions, int64_t pitch) {
    // Dimensions in the order N C H W (K C R S for weights), memory in the order N H W C, pitch elements per pixel.
    const int64_t h = dimensions[2], w = dimensions[3];
    CudnnDescriptor descriptor(handle, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    descriptor.set(CUDNN_ATTR_TENSOR_DATA_TYPE, type);
    descriptor.set(CUDNN_ATTR_TENSOR_DIMENSIONS, dimensions);
    descriptor.set(CUDNN_ATTR_TENSOR_STRIDES, std::array<int64_t, 4>{h * w * pitch, 1, w * pitch, pitch});
    descriptor.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, id);
    descriptor.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, int64_t{aligned ? 16 : type == CUDNN_DATA_FLOAT ? 4 : 2});
    descriptor.finalize();
    return descriptor;
}

/// The operation graph of one convolution, last of the descriptors it needs. cuDNN infers groups from the channels of x
/// and weight.
std::vector<CudnnDescriptor> make_graph(const CudnnHandle& handle, const CudnnConv2d& c) {
    const Conv2dGeometry g(c.desc);
    const cudnnDataType_t type = data_type(c.desc.dtype);
    const bool is_dweight = c.pass == VELU_PASS_BACKWARD_WEIGHTS;
    const cudnnDataType_t filter_type = is_dweight && !c.round_dweight ? CUDNN_DATA_FLOAT : type;
    std::vector<CudnnDescriptor> parts;
    parts.reserve(6);
    parts.push_back(
        tensor(handle, kImageId, type, c.aligned, {g.batch, g.in_channels, g.in_height, g.in_width}, g.in_channels));
    parts.push_back(tensor(handle, kFilterId, filter_type, c.aligned,
                           {g.out_channels, g.group_in, g.kernel_height, g.kernel_width}, g.group_in));
    parts.push_back(
        tensor(handle, kOutputId, type, c.aligned, {g.batch, g.out_channels, g.out_height, g.out_width}, g.y_pitch));

    const std::array<int64_t, 2> padding = {g.padding_height, g.padding_width};
    CudnnDescriptor& convolution = parts.emplace_back(handle, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    convolution.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2});
    convolution.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
    convolution.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
    convolution.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, padding);
    convolution.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, padding);
    convolution.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, std::array<int64_t, 2>{g.stride_height, g.stride_width});
    convolution.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, std::array<int64_t, 2>{g.dilation_height, g.dilation_width});
    convolution.finalize();

    struct Names {
        cudnnBackendDescriptorType_t operation;
        cudnnBackendAttributeName_t convolution, image, filter, output, alpha, beta;
    };
    constexpr Names kNames[] = {
        {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
        {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
        {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA}};
    const Names& names = kNames[c.pass];
    CudnnDescriptor& operation = parts.emplace_back(handle, names.operation);
    operation.set(names.convolution, parts[3]);
    operation.set(names.image, parts[0]);
    operation.set(names.filter, parts[1]);
    operation.set(names.output, parts[2]);
    operation.set(names.alpha, 1.0f);
    operation.set(names.beta, 0.0f);
    operation.finalize();

    CudnnDescriptor& graph = parts.emplace_back(handle, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle.get());
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, parts[4]);
    graph.finalize();
    return parts;
}

/// Engine configurations that one mode of the heuristics proposes; none if the mode does not know this convolution.
std::vector<CudnnDescriptor> proposals(const CudnnHandle& handle, const CudnnDescriptor& graph,
                                       cudnnBackendHeurMode_t mode) {
    try {
        CudnnDescriptor heuristics(handle, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
        heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
        heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
        heuristics.finalize();
        return heuristics.get_descriptors(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR,
                                          heuristics.count(CUDNN_ATTR_ENGINEHEUR_RESULTS));
    } catch (const Failure&) {
        return {};
    }
}

/// Which engine, with which settings: the same list means the same kernels.
struct Engine {
    std::vector<int64_t> identity;  // engine, then knob and value of each choice
    bool suitable = false;

    bool operator==(const Engine& other) const { return identity == other.identity; }
};

/// Bits must not depend on scheduling, and the error must be that of a float32 sum of products: no transforms of
/// Fourier or Winograd, no sums in less than float32, no rounding of float32 operands unless that is allowed.
bool is_suitable(const CudnnDescriptor& engine, bool is_f32, bool allow_tf32) {
    constexpr int64_t kMostNotes = 32;
    for (const auto note : engine.get_all<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, kMostNotes)) {
        switch (note) {
            case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
            case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
            case CUDNN_NUMERICAL_NOTE_FFT:
            case CUDNN_NUMERICAL_NOTE_WINOGRAD:
            case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4:
            case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6:
            case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13:
                return false;
            case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
                if (is_f32) return false;
                break;
            case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
                if (is_f32 && !allow_tf32) return false;
                break;
        }
    }
    for (const auto note : engine.get_all<cudnnBackendBehaviorNote_t>(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, kMostNotes)) {
        if (note == CUDNN_BEHAVIOR_NOTE_REQUIRES_FILTER_INT8x32_REORDER ||
            note == CUDNN_BEHAVIOR_NOTE_REQUIRES_BIAS_INT8x32_REORDER) {
            return false;
        }
    }
    return true;
}

Engine inspect(const CudnnDescriptor& config, const CudnnConv2d& c) {
    const auto engines = config.get_descriptors(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, 1);
    if (engines.empty()) return {};
    Engine engine;
    engine.identity.push_back(engines[0].get<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX));
    engine.suitable = is_suitable(engines[0], c.desc.dtype == VELU_DTYPE_F32, c.allow_tf32);
    if (!engine.suitable) return engine;
    constexpr int64_t kMostKnobs = 64;
    const auto choices =
        config.get_descriptors(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, kMostKnobs);
    for (const CudnnDescriptor& choice : choices) {
        engine.identity.push_back(choice.get<cudnnBackendKnobType_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE));
        engine.identity.push_back(choice.get<int64_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE));
    }
    return engine;
}

void execute(const GraphPlan& plan, const Operands& operands, void* workspace) {
    const CudnnHandle& handle = *plan.handle;
    void* first = const_cast<void*>(operands.first);  // cuDNN takes pointers that may be written, but only reads these
    void* second = const_cast<void*>(operands.second);
    std::array<void*, 3> memory = {first, second, operands.out};  // forward: x, weight, y
    if (plan.pass == VELU_PASS_BACKWARD_DATA) memory = {operands.out, second, first};
    if (plan.pass == VELU_PASS_BACKWARD_WEIGHTS) memory = {first, operands.out, second};
    CudnnDescriptor pack(handle, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::array<int64_t, 3>{kImageId, kFilterId, kOutputId});
    pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, memory);
    pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace);
    pack.finalize();
    handle.check(handle.cudnn().cudnnBackendExecute(handle.get(), plan.plan.get(), pack.get()), "cudnnBackendExecute");
}

/// The plan of a configuration; without run if cuDNN cannot make one here or it needs too much memory.
Plan make_plan(const std::shared_ptr<CudnnHandle>& handle, const std::shared_ptr<std::vector<CudnnDescriptor>>& graph,
               CudnnDescriptor config, const Engine& engine, const CudnnConv2d& c) {
    Plan plan;
    try {
        CudnnDescriptor execution(*handle, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
        execution.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, handle->get());
        execution.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
        execution.finalize();
        const auto workspace = execution.get<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
        if (workspace < 0 || static_cast<size_t>(workspace) > c.workspace_limit) return plan;
        plan.name = "cudnn:engine " + std::to_string(engine.identity[0]);
        plan.workspace = padded(static_cast<size_t>(workspace));
        const auto made = std::make_shared<const GraphPlan>(
            GraphPlan{handle, graph, std::move(config), std::move(execution), c.pass});
        plan.run = [made](Context&, const Operands& operands, void* memory) { execute(*made, operands, memory); };
    } catch (const Failure&) {
        plan.run = nullptr;  // an engine that does not support this shape or device
    }
    return plan;
}

/// Widens BF16 to float32: reads 2 and writes 4 bytes per element, limited by memory. A thread per element.
__global__ void __launch_bounds__(256)
    widen_kernel(int64_t count, const BFloat16* __restrict__ from, float* __restrict__ to) {
    for (int64_t i = thread_index(); i < count; i += thread_count()) to[i] = to_float(from[i]);
}

}  // namespace

std::vector<Plan> conv2d_cudnn_graph(const std::shared_ptr<CudnnHandle>& handle, const CudnnConv2d& convolution) {
    const auto graph = std::make_shared<std::vector<CudnnDescriptor>>(make_graph(*handle, convolution));
    std::vector<Plan> plans;
    std::vector<Engine> seen;
    // A is quick and good, B asks a model that is better for some shapes, FALLBACK lists what works at all.
    for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_B, CUDNN_HEUR_MODE_FALLBACK}) {
        if (mode == CUDNN_HEUR_MODE_FALLBACK && !plans.empty()) break;
        size_t of_mode = 0;
        for (CudnnDescriptor& config : proposals(*handle, graph->back(), mode)) {
            if (plans.size() >= convolution.most_plans || of_mode >= (convolution.most_plans + 1) / 2) break;
            Engine engine;
            try {
                engine = inspect(config, convolution);
            } catch (const Failure&) {
                continue;  // what cannot be inspected cannot be trusted to be deterministic
            }
            if (!engine.suitable || std::find(seen.begin(), seen.end(), engine) != seen.end()) continue;
            seen.push_back(engine);
            Plan plan = make_plan(handle, graph, std::move(config), engine, convolution);
            if (!plan.run) continue;
            if (convolution.round_dweight) {
                plan = with_widened_dweight(std::move(plan), Conv2dGeometry(convolution.desc).weights());
            }
            plans.push_back(std::move(plan));
            ++of_mode;
        }
    }
    return plans;
}

Plan with_widened_dweight(Plan plan, int64_t weights) {
    Plan widened;
    widened.name = plan.name + ", dweight rounded to bf16";
    widened.handicap = plan.handicap * 1.15f;
    widened.workspace = plan.workspace + padded(static_cast<size_t>(weights) * sizeof(BFloat16));
    widened.run = [inner = std::move(plan), weights](Context& context, const Operands& operands, void* workspace) {
        auto* rounded = reinterpret_cast<BFloat16*>(static_cast<char*>(workspace) + inner.workspace);
        Operands inside = operands;
        inside.out = rounded;
        inner.run(context, inside, workspace);
        launch(context, widen_kernel, grid_for(context, weights, 256), 256, weights, rounded,
               static_cast<float*>(operands.out));
    };
    return widened;
}

}  // namespace velu::cuda
