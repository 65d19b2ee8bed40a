// Memory of the CPU backend is host memory.
#include <cinttypes>
#include <cstdlib>
#include <cstring>

#include "cpu/device.h"
#include "cpu/operations.h"

namespace velu::cpu {

velu_status memory_allocate(DeviceContext* context, int64_t bytes, void** memory) {
    const size_t rounded = (static_cast<size_t>(bytes) + 63) / 64 * 64;
    // The kernel promises more than it has and kills the process that then touches it, so ask what it really has.
    const Memory machine = velu::cpu::memory();
    void* allocated = bytes > machine.free ? nullptr : std::aligned_alloc(64, rounded);
    if (allocated == nullptr) {
        return context->fail(VELU_STATUS_OUT_OF_MEMORY,
                             "%" PRId64 " bytes of host memory are asked for; %" PRId64 " of %" PRId64
                             " bytes are free; use a smaller batch or model",
                             bytes, machine.free, machine.total);
    }
    std::memset(allocated, 0, rounded);
    *memory = allocated;
    return VELU_STATUS_SUCCESS;
}

velu_status memory_free(DeviceContext*, void* memory) {
    std::free(memory);
    return VELU_STATUS_SUCCESS;
}

velu_status memory_copy(DeviceContext*, int32_t, const void* source, void* destination, int64_t bytes) {
    std::memcpy(destination, source, static_cast<size_t>(bytes));
    return VELU_STATUS_SUCCESS;
}

velu_status memory_set(DeviceContext*, void* memory, int32_t value, int64_t bytes) {
    std::memset(memory, value & 0xFF, static_cast<size_t>(bytes));
    return VELU_STATUS_SUCCESS;
}

velu_status host_memory_allocate(DeviceContext* context, int64_t bytes, void** memory) {
    return memory_allocate(context, bytes, memory);
}

velu_status host_memory_free(DeviceContext* context, void* memory) {
    return memory_free(context, memory);
}

velu_status memory_copy_async(DeviceContext* context, int32_t, int32_t direction, const void* source, void* destination,
                              int64_t bytes) {
    return memory_copy(context, direction, source, destination, bytes);
}

}  // namespace velu::cpu
