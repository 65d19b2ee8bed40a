// The CPU backend's context: threads, instruction set, scratch memory and oneDNN's state.
#pragma once

#include "core/backend.h"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>

#include "cpu/velu_fit.h"

namespace velu::cpu {

struct DnnlState;  // oneDNN engine, stream and caches of primitives: dnnl_state.h

/// Scratch memory that grows to the largest request and is freed with the context. Contents do not survive a call.
class Workspace {
public:
    Workspace() = default;
    ~Workspace();
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;

    /// At least `bytes` bytes aligned to 64, valid until the next call of reserve; throws std::bad_alloc.
    void* reserve(size_t bytes);
    size_t size() const { return size_; }

private:
    void* memory_ = nullptr;
    size_t size_ = 0;
};

struct Context final : DeviceContext {
    int threads = 1;
    int32_t isa = VELU_ISA_BASELINE;  // resolved: never AUTO
    Workspace workspace;              // an operation lays out all its scratch in ONE reserve() per call
    VeluFits velu_fits;
    std::unique_ptr<DnnlState> dnnl;  // made by context_create after threads and isa

    Context();
    ~Context();
};

inline Context& cpu(DeviceContext* context) {
    return *static_cast<Context*>(context);
}

/// body(block) for every block in [0, blocks), divided statically over the context's OpenMP threads.
/// Results must not depend on which thread runs a block: reductions go to one slot per block and are merged in order.
template <class Body>
void parallel_for(const Context& context, int64_t blocks, const Body& body) {
    if (blocks <= 1 || context.threads <= 1) {
        for (int64_t block = 0; block < blocks; ++block) body(block);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(context.threads)
    for (int64_t block = 0; block < blocks; ++block) body(block);
}

/// Runs an entry's body and turns exceptions into a status: nothing is thrown across the plugin's boundary.
template <class Body>
velu_status guarded(DeviceContext* context, const Body& body) noexcept {
    try {
        return body();
    } catch (const std::bad_alloc&) {
        return context->fail(VELU_STATUS_OUT_OF_MEMORY, "out of host memory");
    } catch (const std::exception& e) {
        return context->fail(VELU_STATUS_INTERNAL, "%s", e.what());
    } catch (...) {
        return context->fail(VELU_STATUS_INTERNAL, "unknown internal error");
    }
}

}  // namespace velu::cpu
