#include "cpu/context.h"

#include <cstdlib>

#include "cpu/dnnl_state.h"

namespace velu::cpu {

Workspace::~Workspace() {
    std::free(memory_);
}

void* Workspace::reserve(size_t bytes) {
    if (bytes <= size_) return memory_;
    // Nothing survives a call, so the old memory goes first: growing never needs both.
    std::free(memory_);
    memory_ = nullptr;
    size_ = 0;
    const size_t rounded = (bytes + 63) / 64 * 64;
    if (rounded < bytes) throw std::bad_alloc();
    memory_ = std::aligned_alloc(64, rounded);
    if (memory_ == nullptr) throw std::bad_alloc();
    size_ = rounded;
    return memory_;
}

Context::Context() = default;
Context::~Context() = default;

}  // namespace velu::cpu
