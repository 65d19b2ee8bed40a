// libcudnn_graph.so.9 for tests: the graph API for one convolution per graph.
#include <algorithm>
#include <cstdio>
#include <set>
#include <vector>

#include "fake.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

using namespace velu::cuda::dynlink;

namespace {

constexpr auto kBadParameter = static_cast<cudnnStatus_t>(2000);
constexpr auto kNotFinalized = static_cast<cudnnStatus_t>(2004);
constexpr auto kAttributeType = static_cast<cudnnStatus_t>(2010);
constexpr auto kNotSupported = static_cast<cudnnStatus_t>(3000);
constexpr auto kExecutionFailed = static_cast<cudnnStatus_t>(5000);

thread_local std::string last_error;

cudnnStatus_t refuse(cudnnStatus_t status, const std::string& why) {
    last_error = why;
    // Only what cuDNN may refuse to a caller that makes no mistakes is expected.
    if (status != kNotSupported && status != kExecutionFailed) {
        std::fprintf(stderr, "fake cuDNN: %s\n", why.c_str());
        fake::count("mistakes");
    }
    return status;
}

/// What may be set: how many elements of which type, and whether finalizing needs it.
struct Attribute {
    cudnnBackendAttributeType_t type;
    int64_t least;
    int64_t most;
    bool required = true;
};

const std::map<int, std::map<int, Attribute>>& settable() {
    constexpr auto kDescriptor = CUDNN_TYPE_BACKEND_DESCRIPTOR;
    static const std::map<int, std::map<int, Attribute>> table = {
        {CUDNN_BACKEND_TENSOR_DESCRIPTOR,
         {{CUDNN_ATTR_TENSOR_DATA_TYPE, {CUDNN_TYPE_DATA_TYPE, 1, 1}},
          {CUDNN_ATTR_TENSOR_DIMENSIONS, {CUDNN_TYPE_INT64, 4, 4}},
          {CUDNN_ATTR_TENSOR_STRIDES, {CUDNN_TYPE_INT64, 4, 4}},
          {CUDNN_ATTR_TENSOR_UNIQUE_ID, {CUDNN_TYPE_INT64, 1, 1}},
          {CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, {CUDNN_TYPE_INT64, 1, 1}}}},
        {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR,
         {{CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, {CUDNN_TYPE_INT64, 1, 1}},
          {CUDNN_ATTR_CONVOLUTION_COMP_TYPE, {CUDNN_TYPE_DATA_TYPE, 1, 1}},
          {CUDNN_ATTR_CONVOLUTION_CONV_MODE, {CUDNN_TYPE_CONVOLUTION_MODE, 1, 1}},
          {CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, {CUDNN_TYPE_INT64, 2, 2}},
          {CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, {CUDNN_TYPE_INT64, 2, 2}},
          {CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, {CUDNN_TYPE_INT64, 2, 2}},
          {CUDNN_ATTR_CONVOLUTION_DILATIONS, {CUDNN_TYPE_INT64, 2, 2}}}},
        {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
         {{CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, {kDescriptor, 1, 1}},
          {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, {kDescriptor, 1, 1}},
          {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, {kDescriptor, 1, 1}},
          {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, {kDescriptor, 1, 1}},
          {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, {CUDNN_TYPE_FLOAT, 1, 1}},
          {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, {CUDNN_TYPE_FLOAT, 1, 1}}}},
        {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
         {{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, {kDescriptor, 1, 1}},
          {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, {kDescriptor, 1, 1}},
          {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, {kDescriptor, 1, 1}},
          {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, {kDescriptor, 1, 1}},
          {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, {CUDNN_TYPE_FLOAT, 1, 1}},
          {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, {CUDNN_TYPE_FLOAT, 1, 1}}}},
        {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
         {{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, {kDescriptor, 1, 1}},
          {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, {kDescriptor, 1, 1}},
          {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, {kDescriptor, 1, 1}},
          {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, {kDescriptor, 1, 1}},
          {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, {CUDNN_TYPE_FLOAT, 1, 1}},
          {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, {CUDNN_TYPE_FLOAT, 1, 1}}}},
        {CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR,
         {{CUDNN_ATTR_OPERATIONGRAPH_HANDLE, {CUDNN_TYPE_HANDLE, 1, 1}},
          {CUDNN_ATTR_OPERATIONGRAPH_OPS, {kDescriptor, 1, 1}}}},
        {CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR,
         {{CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, {kDescriptor, 1, 1}},
          {CUDNN_ATTR_ENGINEHEUR_MODE, {CUDNN_TYPE_HEUR_MODE, 1, 1}}}},
        {CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR,
         {{CUDNN_ATTR_EXECUTION_PLAN_HANDLE, {CUDNN_TYPE_HANDLE, 1, 1}},
          {CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, {kDescriptor, 1, 1}}}},
        {CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR,
         {{CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, {CUDNN_TYPE_INT64, 3, 3}},
          {CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, {CUDNN_TYPE_VOID_PTR, 3, 3}},
          {CUDNN_ATTR_VARIANT_PACK_WORKSPACE, {CUDNN_TYPE_VOID_PTR, 1, 1, false}}}},
    };
    return table;
}

size_t element_size(cudnnBackendAttributeType_t type) {
    switch (type) {
        case CUDNN_TYPE_HANDLE:
        case CUDNN_TYPE_INT64:
        case CUDNN_TYPE_VOID_PTR:
        case CUDNN_TYPE_BACKEND_DESCRIPTOR:
            return 8;
        default:
            return 4;
    }
}

struct Engine {
    int64_t index;
    std::vector<cudnnBackendNumericalNote_t> notes;
    int64_t workspace = 0;
    int milliseconds = 0;
    bool has_plan = true;
    bool needs_alignment = false;
    bool runs = true;
};

/// Each has one trait that must keep it from being chosen, or that must make it the choice.
const std::vector<Engine>& engines() {
    static const std::vector<Engine> list = {
        {100, {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}, 0, 0},
        {101, {}, 0, 0, false},
        {102, {}, 0, 6},
        {103, {}, 4096, 4},
        {104, {}, 0, 2, true, true},
        {105, {CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, 0, 0},
        {106, {}, 0, 0, true, false, false},
        {107, {}, int64_t{1} << 50, 0},
        {108, {CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4}, 0, 0},
    };
    return list;
}

struct Descriptor {
    cudnnBackendDescriptorType_t type;
    bool finalized = false;
    std::map<int, std::vector<unsigned char>> values;
    const Engine* engine = nullptr;       // of an engine, its configuration, knob choice and plan
    const Descriptor* graph = nullptr;    // of an engine configuration
    std::vector<const Engine*> proposed;  // by heuristics

    template <class T>
    T value(int name, int64_t index = 0) const {
        T result;
        std::memcpy(&result, values.at(name).data() + static_cast<size_t>(index) * sizeof(T), sizeof(T));
        return result;
    }
    const Descriptor& descriptor(int name) const { return *value<const Descriptor*>(name); }
};

std::set<const Descriptor*>& alive() {
    static std::set<const Descriptor*> set;
    return set;
}

struct Names {
    fake::Pass pass;
    int convolution, image, filter, output, alpha, beta;
};

const Names* names_of(cudnnBackendDescriptorType_t type) {
    static const Names forward = {fake::Pass::kForward,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    static const Names data = {fake::Pass::kBackwardData,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    static const Names filter = {fake::Pass::kBackwardWeights,
                                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
    switch (type) {
        case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
            return &forward;
        case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
            return &data;
        case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
            return &filter;
        default:
            return nullptr;
    }
}

const Descriptor& operation_of(const Descriptor& graph) {
    return graph.descriptor(CUDNN_ATTR_OPERATIONGRAPH_OPS);
}

fake::Type type_of(const Descriptor& tensor) {
    return tensor.value<int>(CUDNN_ATTR_TENSOR_DATA_TYPE) == CUDNN_DATA_FLOAT ? fake::Type::kFloat
                                                                              : fake::Type::kBFloat16;
}

/// Elements from one pixel of a tensor to the next.
int64_t pitch_of(const Descriptor& tensor) {
    return tensor.value<int64_t>(CUDNN_ATTR_TENSOR_STRIDES, 3);
}

bool is_dense(const Descriptor& tensor) {
    return pitch_of(tensor) == tensor.value<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS, 1);
}

fake::Convolution convolution_of(const Descriptor& operation) {
    const Names& names = *names_of(operation.type);
    fake::Convolution c = {};
    c.pass = names.pass;
    const Descriptor& image = operation.descriptor(names.image);
    const Descriptor& filter = operation.descriptor(names.filter);
    const Descriptor& output = operation.descriptor(names.output);
    for (int i = 0; i < 4; ++i) {
        c.image[i] = image.value<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS, i);
        c.filter[i] = filter.value<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS, i);
        c.output[i] = output.value<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS, i);
    }
    c.output_pitch = pitch_of(output);
    const Descriptor& convolution = operation.descriptor(names.convolution);
    for (int i = 0; i < 2; ++i) {
        c.padding[i] = convolution.value<int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, i);
        c.stride[i] = convolution.value<int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, i);
        c.dilation[i] = convolution.value<int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS, i);
    }
    c.image_type = type_of(image);
    c.filter_type = type_of(filter);
    c.output_type = type_of(output);
    return c;
}

cudnnStatus_t finalize_tensor(const Descriptor& d) {
    int64_t size[4];
    for (int i = 0; i < 4; ++i) {
        size[i] = d.value<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS, i);
        if (size[i] < 1) return refuse(kBadParameter, "a tensor's dimension is below 1");
    }
    const int64_t pitch = pitch_of(d);
    const int64_t strides[4] = {pitch * size[2] * size[3], 1, pitch * size[3], pitch};
    for (int i = 0; i < 4; ++i) {
        if (pitch < size[1] || d.value<int64_t>(CUDNN_ATTR_TENSOR_STRIDES, i) != strides[i]) {
            return refuse(kBadParameter, "a tensor's strides are not those of NHWC");
        }
    }
    const int type = d.value<int>(CUDNN_ATTR_TENSOR_DATA_TYPE);
    const auto alignment = d.value<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
    if (type != CUDNN_DATA_FLOAT && type != CUDNN_DATA_BFLOAT16) return refuse(kBadParameter, "type of a tensor");
    if (alignment != 16 && alignment != (type == CUDNN_DATA_FLOAT ? 4 : 2)) {
        return refuse(kBadParameter, "alignment of a tensor");
    }
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t finalize_convolution(const Descriptor& d) {
    if (d.value<int64_t>(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS) != 2 ||
        d.value<int>(CUDNN_ATTR_CONVOLUTION_COMP_TYPE) != CUDNN_DATA_FLOAT ||
        d.value<int>(CUDNN_ATTR_CONVOLUTION_CONV_MODE) != CUDNN_CROSS_CORRELATION) {
        return refuse(kBadParameter, "a convolution is not a 2-D cross-correlation computed in float32");
    }
    for (int i = 0; i < 2; ++i) {
        if (d.value<int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, i) !=
            d.value<int64_t>(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, i)) {
            return refuse(kBadParameter, "paddings before and after differ");
        }
    }
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t finalize_operation(const Descriptor& d) {
    const Names& names = *names_of(d.type);
    if (d.value<float>(names.alpha) != 1 || d.value<float>(names.beta) != 0) {
        return refuse(kBadParameter, "alpha is not 1 or beta is not 0");
    }
    std::set<int64_t> ids;
    for (const int name : {names.image, names.filter, names.output}) {
        if (d.descriptor(name).type != CUDNN_BACKEND_TENSOR_DESCRIPTOR) return refuse(kBadParameter, "not a tensor");
        ids.insert(d.descriptor(name).value<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID));
    }
    if (ids.size() != 3) return refuse(kBadParameter, "two tensors share an id");
    if (!is_dense(d.descriptor(names.image)) || !is_dense(d.descriptor(names.filter))) {
        return refuse(kBadParameter, "the pixels of x or weight lie apart");
    }
    if (!convolution_of(d).consistent()) return refuse(kBadParameter, "sizes of a convolution do not match");
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t finalize_heuristics(Descriptor& d) {
    fake::count("heuristics");
    if (fake::setting_is("FAKE_CUDNN_GRAPH", "reject")) return refuse(kNotSupported, "no engine");
    const fake::Convolution c = convolution_of(operation_of(d.descriptor(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH)));
    if (fake::setting_is("FAKE_CUDNN_STRIDES", "reject") && c.output_pitch != c.output[1]) {
        return refuse(kNotSupported, "no engine for these strides");
    }
    if (fake::setting_is("FAKE_CUDNN_DWEIGHT", "bf16") && c.filter_type != c.image_type) {
        return refuse(kNotSupported, "no engine for mixed types");
    }
    const auto propose = [&d](std::initializer_list<int64_t> indexes) {
        for (const int64_t index : indexes) d.proposed.push_back(&engines()[static_cast<size_t>(index - 100)]);
    };
    switch (d.value<int>(CUDNN_ATTR_ENGINEHEUR_MODE)) {
        case CUDNN_HEUR_MODE_A:
            propose({100, 108, 101, 102, 103, 104, 106});
            break;
        case CUDNN_HEUR_MODE_B:
            propose({103, 107, 105});
            break;
        default:
            propose({102});
    }
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t finalize_plan(Descriptor& d) {
    const Descriptor& config = d.descriptor(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
    d.engine = config.engine;
    d.graph = config.graph;
    if (!d.engine->has_plan) return refuse(kNotSupported, "this engine does not support this graph");
    const Descriptor& operation = operation_of(*d.graph);
    const Names& names = *names_of(operation.type);
    if (d.engine->needs_alignment) {
        for (const int name : {names.image, names.filter, names.output}) {
            if (operation.descriptor(name).value<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT) < 16) {
                return refuse(kNotSupported, "this engine needs tensors aligned to 16 bytes");
            }
        }
    }
    fake::count("plans");
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t give(const void* from, size_t bytes, int64_t available, int64_t requested, int64_t* count, void* to) {
    *count = requested == 0 ? available : std::min(available, requested);
    if (requested > 0) std::memcpy(to, from, bytes * static_cast<size_t>(*count));
    return CUDNN_STATUS_SUCCESS;
}

/// Fills descriptors that the caller has created.
cudnnStatus_t give_engines(const std::vector<const Engine*>& list, const Descriptor* graph,
                           cudnnBackendDescriptorType_t type, int64_t requested, int64_t* count, void* elements) {
    const auto available = static_cast<int64_t>(list.size());
    *count = requested == 0 ? available : std::min(available, requested);
    for (int64_t i = 0; i < *count && requested > 0; ++i) {
        auto* given = static_cast<Descriptor**>(elements)[i];
        if (alive().count(given) == 0 || given->type != type || given->finalized) {
            return refuse(kBadParameter, "a descriptor to be filled is not new or of another type");
        }
        given->engine = list[static_cast<size_t>(i)];
        given->graph = graph;
        given->finalized = true;
    }
    return CUDNN_STATUS_SUCCESS;
}

}  // namespace

EXPORT size_t cudnnGetVersion() {
    const char* version = std::getenv("FAKE_CUDNN_VERSION");
    return version == nullptr ? 90501 : static_cast<size_t>(std::atol(version));
}

EXPORT size_t cudnnGetCudartVersion() {
    return 12060;
}

EXPORT const char* cudnnGetErrorString(cudnnStatus_t status) {
    return status == kNotSupported ? "CUDNN_STATUS_NOT_SUPPORTED" : "CUDNN_STATUS_OTHER";
}

EXPORT void cudnnGetLastErrorString(char* message, size_t most) {
    std::snprintf(message, most, "%s", last_error.c_str());
}

EXPORT cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
    fake::count("cudnnCreate");
    if (fake::setting_is("FAKE_CUDNN_CREATE", "fail")) return refuse(kNotSupported, "no such driver");
    *handle = new cudnnContext;
    return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
    if (!alive().empty()) refuse(kBadParameter, "descriptors outlive their handle");
    delete handle;
    return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
    handle->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                                  cudnnBackendDescriptor_t* descriptor) {
    auto* made = new Descriptor;
    made->type = type;
    alive().insert(made);
    *descriptor = made;
    return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
    auto* d = static_cast<Descriptor*>(descriptor);
    if (alive().erase(d) == 0) return refuse(kBadParameter, "a descriptor is destroyed twice");
    delete d;
    return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                              cudnnBackendAttributeType_t type, int64_t count, const void* elements) {
    auto* d = static_cast<Descriptor*>(descriptor);
    if (alive().count(d) == 0) return refuse(kBadParameter, "not a descriptor");
    if (d->finalized) return refuse(kBadParameter, "an attribute is set after finalizing");
    const auto attributes = settable().find(d->type);
    if (attributes == settable().end()) return refuse(kBadParameter, "this descriptor is not filled by the caller");
    const auto attribute = attributes->second.find(name);
    if (attribute == attributes->second.end()) {
        return refuse(kBadParameter, "attribute " + std::to_string(name) + " is not one of descriptor type " +
                                         std::to_string(d->type));
    }
    if (attribute->second.type != type) return refuse(kAttributeType, "type of attribute " + std::to_string(name));
    if (count < attribute->second.least || count > attribute->second.most || elements == nullptr) {
        return refuse(kBadParameter, "count of attribute " + std::to_string(name));
    }
    if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
        const auto* other = *static_cast<const Descriptor* const*>(elements);
        if (alive().count(other) == 0) return refuse(kBadParameter, "not a descriptor");
        if (!other->finalized) return refuse(kNotFinalized, "a descriptor is used before it is finalized");
    }
    const auto* bytes = static_cast<const unsigned char*>(elements);
    d->values[name].assign(bytes, bytes + static_cast<size_t>(count) * element_size(type));
    return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
    auto* d = static_cast<Descriptor*>(descriptor);
    if (alive().count(d) == 0 || d->finalized) return refuse(kBadParameter, "a descriptor is finalized twice");
    const auto attributes = settable().find(d->type);
    if (attributes == settable().end()) return refuse(kBadParameter, "this descriptor is not finalized by the caller");
    for (const auto& [name, attribute] : attributes->second) {
        if (attribute.required && d->values.count(name) == 0) {
            return refuse(kBadParameter, "attribute " + std::to_string(name) + " is missing");
        }
    }
    cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
    if (d->type == CUDNN_BACKEND_TENSOR_DESCRIPTOR) status = finalize_tensor(*d);
    if (d->type == CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR) status = finalize_convolution(*d);
    if (names_of(d->type) != nullptr) status = finalize_operation(*d);
    if (d->type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR) status = finalize_heuristics(*d);
    if (d->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) status = finalize_plan(*d);
    d->finalized = status == CUDNN_STATUS_SUCCESS;
    return status;
}

EXPORT cudnnStatus_t cudnnBackendGetAttribute(const cudnnBackendDescriptor_t descriptor,
                                              cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                                              int64_t requested, int64_t* count, void* elements) {
    const auto* d = static_cast<const Descriptor*>(descriptor);
    if (alive().count(d) == 0 || !d->finalized) return refuse(kNotFinalized, "read before finalizing");
    const auto is = [&](cudnnBackendDescriptorType_t of, cudnnBackendAttributeName_t asked,
                        cudnnBackendAttributeType_t as) { return d->type == of && name == asked && type == as; };
    constexpr auto kDescriptor = CUDNN_TYPE_BACKEND_DESCRIPTOR;
    if (is(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, CUDNN_ATTR_ENGINEHEUR_RESULTS, kDescriptor)) {
        return give_engines(d->proposed, &d->descriptor(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH),
                            CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, requested, count, elements);
    }
    if (is(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, CUDNN_ATTR_ENGINECFG_ENGINE, kDescriptor)) {
        return give_engines({d->engine}, d->graph, CUDNN_BACKEND_ENGINE_DESCRIPTOR, requested, count, elements);
    }
    if (is(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, kDescriptor)) {
        return give_engines({d->engine}, d->graph, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, requested, count, elements);
    }
    if (is(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE)) {
        const int knob = 2;
        return give(&knob, sizeof knob, 1, requested, count, elements);
    }
    if (is(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64) ||
        is(CUDNN_BACKEND_ENGINE_DESCRIPTOR, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64)) {
        return give(&d->engine->index, sizeof d->engine->index, 1, requested, count, elements);
    }
    if (is(CUDNN_BACKEND_ENGINE_DESCRIPTOR, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE)) {
        return give(d->engine->notes.data(), sizeof(cudnnBackendNumericalNote_t),
                    static_cast<int64_t>(d->engine->notes.size()), requested, count, elements);
    }
    if (is(CUDNN_BACKEND_ENGINE_DESCRIPTOR, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE)) {
        *count = 0;
        return CUDNN_STATUS_SUCCESS;
    }
    if (is(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64)) {
        return give(&d->engine->workspace, sizeof d->engine->workspace, 1, requested, count, elements);
    }
    return refuse(kBadParameter, "attribute " + std::to_string(name) + " cannot be read from descriptor type " +
                                     std::to_string(d->type));
}

EXPORT cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t execution_plan,
                                         cudnnBackendDescriptor_t variant_pack) {
    const auto* plan = static_cast<const Descriptor*>(execution_plan);
    const auto* pack = static_cast<const Descriptor*>(variant_pack);
    if (alive().count(plan) == 0 || alive().count(pack) == 0 || !plan->finalized || !pack->finalized) {
        return refuse(kNotFinalized, "a plan or its pack is not finalized");
    }
    const Descriptor& operation = operation_of(*plan->graph);
    const Names& names = *names_of(operation.type);
    fake::Convolution c = convolution_of(operation);
    const auto memory = [&](int name) -> void* {
        const Descriptor& tensor = operation.descriptor(name);
        for (int i = 0; i < 3; ++i) {
            if (pack->value<int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, i) !=
                tensor.value<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID)) {
                continue;
            }
            void* pointer = pack->value<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, i);
            const auto alignment = tensor.value<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
            return fake::aligned(pointer, static_cast<uint64_t>(alignment)) ? pointer : nullptr;
        }
        return nullptr;
    };
    c.image_memory = memory(names.image);
    c.filter_memory = memory(names.filter);
    c.output_memory = memory(names.output);
    if (c.image_memory == nullptr || c.filter_memory == nullptr || c.output_memory == nullptr) {
        return refuse(kBadParameter, "a tensor's memory is missing or not as aligned as was said");
    }
    c.workspace_bytes = plan->engine->workspace;
    if (c.workspace_bytes > 0) {
        c.workspace = pack->value<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
        if (c.workspace == nullptr || !fake::aligned(c.workspace, 256)) return refuse(kBadParameter, "workspace");
    }
    if (!plan->engine->runs) return refuse(kExecutionFailed, "this engine fails to run");
    c.tf32 = c.image_type == fake::Type::kFloat && !plan->engine->notes.empty();
    c.milliseconds = plan->engine->milliseconds;
    fake::count("executions");
    return fake::enqueue(handle->stream, c) ? CUDNN_STATUS_SUCCESS : refuse(kExecutionFailed, "no emulated stream");
}
