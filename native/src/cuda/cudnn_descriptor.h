// cuDNN's handle and the descriptors of its graph API, released with their owners.
#pragma once

#include "cuda/context.h"
#include "cuda/dynlink/libraries.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace velu::cuda {

/// cuDNN on a context's compute stream.
class CudnnHandle {
public:
    /// Throws a Failure if cuDNN is not there or does not work on this device.
    explicit CudnnHandle(const Context& context);
    ~CudnnHandle();
    CudnnHandle(const CudnnHandle&) = delete;
    CudnnHandle& operator=(const CudnnHandle&) = delete;

    const dynlink::Cudnn& cudnn() const { return functions_; }
    dynlink::cudnnHandle_t get() const { return handle_; }

    /// Throws a Failure that names the call and what cuDNN says, unless it succeeded.
    void check(dynlink::cudnnStatus_t status, const char* call) const;

private:
    const dynlink::Cudnn& functions_;
    dynlink::cudnnHandle_t handle_ = nullptr;
};

/// The type of an attribute's elements, from the type that holds them here.
template <class T>
inline constexpr int kCudnnType = -1;
template <>
inline constexpr int kCudnnType<dynlink::cudnnHandle_t> = dynlink::CUDNN_TYPE_HANDLE;
template <>
inline constexpr int kCudnnType<dynlink::cudnnDataType_t> = dynlink::CUDNN_TYPE_DATA_TYPE;
template <>
inline constexpr int kCudnnType<int64_t> = dynlink::CUDNN_TYPE_INT64;
template <>
inline constexpr int kCudnnType<float> = dynlink::CUDNN_TYPE_FLOAT;
template <>
inline constexpr int kCudnnType<void*> = dynlink::CUDNN_TYPE_VOID_PTR;
template <>
inline constexpr int kCudnnType<dynlink::cudnnConvolutionMode_t> = dynlink::CUDNN_TYPE_CONVOLUTION_MODE;
template <>
inline constexpr int kCudnnType<dynlink::cudnnBackendHeurMode_t> = dynlink::CUDNN_TYPE_HEUR_MODE;
template <>
inline constexpr int kCudnnType<dynlink::cudnnBackendKnobType_t> = dynlink::CUDNN_TYPE_KNOB_TYPE;
template <>
inline constexpr int kCudnnType<dynlink::cudnnBackendNumericalNote_t> = dynlink::CUDNN_TYPE_NUMERICAL_NOTE;
template <>
inline constexpr int kCudnnType<dynlink::cudnnBackendBehaviorNote_t> = dynlink::CUDNN_TYPE_BEHAVIOR_NOTE;

class CudnnDescriptor {
public:
    CudnnDescriptor(const CudnnHandle& handle, dynlink::cudnnBackendDescriptorType_t type) : handle_(&handle) {
        handle.check(handle.cudnn().cudnnBackendCreateDescriptor(type, &descriptor_), "cudnnBackendCreateDescriptor");
    }
    ~CudnnDescriptor() {
        if (descriptor_ != nullptr) handle_->cudnn().cudnnBackendDestroyDescriptor(descriptor_);
    }
    CudnnDescriptor(CudnnDescriptor&& other) noexcept
        : handle_(other.handle_), descriptor_(std::exchange(other.descriptor_, nullptr)) {}
    CudnnDescriptor& operator=(CudnnDescriptor&& other) noexcept {
        std::swap(handle_, other.handle_);
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }

    dynlink::cudnnBackendDescriptor_t get() const { return descriptor_; }

    template <class T>
    void set(dynlink::cudnnBackendAttributeName_t name, const T& value) {
        set(name, kCudnnType<T>, 1, &value);
    }
    template <class T, size_t kCount>
    void set(dynlink::cudnnBackendAttributeName_t name, const std::array<T, kCount>& values) {
        set(name, kCudnnType<T>, kCount, values.data());
    }
    void set(dynlink::cudnnBackendAttributeName_t name, const CudnnDescriptor& value) {
        set(name, dynlink::CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value.descriptor_);
    }
    void finalize() { handle_->check(handle_->cudnn().cudnnBackendFinalize(descriptor_), "cudnnBackendFinalize"); }

    template <class T>
    T get(dynlink::cudnnBackendAttributeName_t name) const {
        T value{};
        get(name, kCudnnType<T>, 1, &value);
        return value;
    }
    /// At most `most` elements.
    template <class T>
    std::vector<T> get_all(dynlink::cudnnBackendAttributeName_t name, int64_t most) const {
        std::vector<T> values(static_cast<size_t>(most));
        values.resize(static_cast<size_t>(get(name, kCudnnType<T>, most, values.data())));
        return values;
    }
    /// Descriptors of the given type, which the attribute fills; at most `most`.
    std::vector<CudnnDescriptor> get_descriptors(dynlink::cudnnBackendAttributeName_t name,
                                                 dynlink::cudnnBackendDescriptorType_t type, int64_t most) const;
    /// Elements that the attribute has.
    int64_t count(dynlink::cudnnBackendAttributeName_t name) const {
        return get(name, dynlink::CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, nullptr);
    }

private:
    void set(dynlink::cudnnBackendAttributeName_t name, int type, int64_t count, const void* elements);
    int64_t get(dynlink::cudnnBackendAttributeName_t name, int type, int64_t most, void* elements) const;

    const CudnnHandle* handle_;
    dynlink::cudnnBackendDescriptor_t descriptor_ = nullptr;
};

}  // namespace velu::cuda
