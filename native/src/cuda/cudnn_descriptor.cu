#include "cuda/cudnn_descriptor.h"

#include <algorithm>

namespace velu::cuda {
namespace {

const dynlink::Cudnn& available_cudnn() {
    const auto& opened = dynlink::cudnn();
    if (!opened.available) throw Failure(VELU_STATUS_UNSUPPORTED, "cuDNN not found: " + opened.reason);
    return opened.functions;
}

}  // namespace

CudnnHandle::CudnnHandle(const Context& context) : functions_(available_cudnn()) {
    check(functions_.cudnnCreate(&handle_), "cudnnCreate");
    try {
        check(functions_.cudnnSetStream(handle_, context.compute()), "cudnnSetStream");
    } catch (const Failure&) {
        functions_.cudnnDestroy(handle_);
        throw;
    }
}

CudnnHandle::~CudnnHandle() {
    functions_.cudnnDestroy(handle_);
}

void CudnnHandle::check(dynlink::cudnnStatus_t status, const char* call) const {
    if (status == dynlink::CUDNN_STATUS_SUCCESS) return;
    char detail[256] = "";
    functions_.cudnnGetLastErrorString(detail, sizeof detail);
    std::string message = std::string(call) + ": " + functions_.cudnnGetErrorString(status);
    if (detail[0] != '\0') message += std::string(" (") + detail + ")";
    throw Failure(VELU_STATUS_INTERNAL, message);
}

std::vector<CudnnDescriptor> CudnnDescriptor::get_descriptors(dynlink::cudnnBackendAttributeName_t name,
                                                              dynlink::cudnnBackendDescriptorType_t type,
                                                              int64_t most) const {
    std::vector<CudnnDescriptor> filled;
    std::vector<dynlink::cudnnBackendDescriptor_t> raw;
    for (int64_t i = 0; i < most; ++i) {
        filled.emplace_back(*handle_, type);
        raw.push_back(filled.back().get());
    }
    const int64_t got = most == 0 ? 0 : get(name, dynlink::CUDNN_TYPE_BACKEND_DESCRIPTOR, most, raw.data());
    filled.erase(filled.begin() + std::clamp<int64_t>(got, 0, most), filled.end());
    return filled;
}

void CudnnDescriptor::set(dynlink::cudnnBackendAttributeName_t name, int type, int64_t count, const void* elements) {
    const auto attribute_type = static_cast<dynlink::cudnnBackendAttributeType_t>(type);
    handle_->check(handle_->cudnn().cudnnBackendSetAttribute(descriptor_, name, attribute_type, count, elements),
                   "cudnnBackendSetAttribute");
}

int64_t CudnnDescriptor::get(dynlink::cudnnBackendAttributeName_t name, int type, int64_t most, void* elements) const {
    const auto attribute_type = static_cast<dynlink::cudnnBackendAttributeType_t>(type);
    int64_t count = 0;
    handle_->check(handle_->cudnn().cudnnBackendGetAttribute(descriptor_, name, attribute_type, most, &count, elements),
                   "cudnnBackendGetAttribute");
    return std::min(count, most == 0 ? count : most);
}

}  // namespace velu::cuda
