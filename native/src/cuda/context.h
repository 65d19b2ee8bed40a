// The CUDA backend's context: streams, scratch memory, caches of implementations; and how errors travel inside it.
//
// Inside the backend a failure is an exception; guarded() turns it into a status and a message at every entry, so that
// nothing is thrown across the plugin's boundary. Everything an operation launches goes to compute(), in order.
#pragma once

#include "core/backend.h"

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace velu::cuda {

struct Conv2dPlans;  // cuDNN's handle and the implementations chosen for convolutions: conv2d.cu
struct LinearPlans;  // cuBLASLt's handle and the algorithms chosen for matrix products: linear.cu

/// A failure with the status and message that the caller of the ABI is to see.
class Failure final : public std::exception {
public:
    Failure(velu_status status, std::string message) : status_(status), message_(std::move(message)) {}
    velu_status status() const { return status_; }
    const char* what() const noexcept override { return message_.c_str(); }

private:
    velu_status status_;
    std::string message_;
};

/// Throws a Failure that names the call unless it succeeded. OUT_OF_MEMORY for an allocation that failed, else
/// INTERNAL.
void check(cudaError_t status, const char* call);

/// Scratch memory of one stream. An operation lays out all its scratch in ONE reserve() per call; contents do not
/// survive the call.
///
/// Growing keeps the old block until the context goes: recorded graphs and kernels in flight still use it. As it at
/// least doubles, all blocks together are smaller than twice the last.
class Workspace {
public:
    Workspace() = default;
    ~Workspace();
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;

    /// At least `bytes` bytes aligned to 256. Throws a Failure if memory is exhausted, or if it would have to grow
    /// while a graph is recorded.
    void* reserve(size_t bytes, bool recording);
    /// Bytes of device memory held.
    size_t size() const { return held_; }

private:
    std::vector<void*> blocks_;  // the last one is in use
    size_t capacity_ = 0;
    size_t held_ = 0;
};

struct Context final : DeviceContext {
    int index = 0;
    int multiprocessors = 1;
    int capability = 80;  // 10 major + minor
    bool allow_tf32 = false;
    bool recording = false;                        // between velu_graph_begin and velu_graph_end
    cudaStream_t streams[2] = {nullptr, nullptr};  // by VELU_STREAM_*
    Workspace workspace;
    std::shared_ptr<Conv2dPlans> conv2d;  // made at first use
    std::shared_ptr<LinearPlans> linear;  // made at first use

    Context() = default;
    ~Context();

    cudaStream_t compute() const { return streams[VELU_STREAM_COMPUTE]; }
    template <class T = void>
    T* scratch(size_t bytes) {
        return static_cast<T*>(workspace.reserve(bytes, recording));
    }
};

inline Context& cuda(DeviceContext* context) {
    return *static_cast<Context*>(context);
}

/// Throws a Failure while a graph is recorded: for entries that CUDA cannot capture. Defined in graph.cu.
void require_not_recording(const Context& context);

/// Runs an entry's body on the context's device and turns exceptions into a status.
template <class Body>
velu_status guarded(DeviceContext* context, const Body& body) noexcept {
    try {
        check(cudaSetDevice(cuda(context).index), "cudaSetDevice");
        body(cuda(context));
        return VELU_STATUS_SUCCESS;
    } catch (const Failure& failure) {
        return context->fail(failure.status(), "%s", failure.what());
    } catch (const std::bad_alloc&) {
        return context->fail(VELU_STATUS_OUT_OF_MEMORY, "out of host memory");
    } catch (const std::exception& e) {
        return context->fail(VELU_STATUS_INTERNAL, "%s", e.what());
    } catch (...) {
        return context->fail(VELU_STATUS_INTERNAL, "unknown internal error");
    }
}

}  // namespace velu::cuda
