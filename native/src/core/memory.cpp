// Device memory, and host memory that copies fast to and from it.
#include "core/call.h"

using velu::BackendTable;
using velu::Call;

velu_status velu_memory_allocate(velu_context* context, int64_t bytes, void** memory) {
    Call call(context, "velu_memory_allocate");
    if (call.failed()) return call.status();
    call.buffers({velu::output("memory", memory, sizeof *memory, alignof(void*))});
    if (call.failed()) return call.status();
    *memory = nullptr;
    call.range("bytes", bytes, 1, velu::kMaxBytes);
    return call.run(&BackendTable::memory_allocate, bytes, memory);
}

velu_status velu_memory_free(velu_context* context, void* memory) {
    Call call(context, "velu_memory_free");
    if (call.failed() || memory == nullptr) return call.status();
    return call.run(&BackendTable::memory_free, memory);
}

velu_status velu_memory_copy(velu_context* context, int32_t direction, const void* source, void* destination,
                             int64_t bytes) {
    Call call(context, "velu_memory_copy");
    if (call.failed()) return call.status();
    call.range("direction", direction, VELU_COPY_HOST_TO_DEVICE, VELU_COPY_DEVICE_TO_DEVICE);
    call.range("bytes", bytes, 0, velu::kMaxBytes);
    if (call.failed() || bytes == 0) return call.status();
    call.buffers({velu::input("source", source, bytes, 1), velu::output("destination", destination, bytes, 1)});
    return call.run(&BackendTable::memory_copy, direction, source, destination, bytes);
}

velu_status velu_memory_set(velu_context* context, void* memory, int32_t value, int64_t bytes) {
    Call call(context, "velu_memory_set");
    if (call.failed()) return call.status();
    call.range("bytes", bytes, 0, velu::kMaxBytes);
    if (call.failed() || bytes == 0) return call.status();
    call.buffers({velu::output("memory", memory, bytes, 1)});
    return call.run(&BackendTable::memory_set, memory, value, bytes);
}

velu_status velu_host_memory_allocate(velu_context* context, int64_t bytes, void** memory) {
    Call call(context, "velu_host_memory_allocate");
    if (call.failed()) return call.status();
    call.buffers({velu::output("memory", memory, sizeof *memory, alignof(void*))});
    if (call.failed()) return call.status();
    *memory = nullptr;
    call.range("bytes", bytes, 1, velu::kMaxBytes);
    return call.run(&BackendTable::host_memory_allocate, bytes, memory);
}

velu_status velu_host_memory_free(velu_context* context, void* memory) {
    Call call(context, "velu_host_memory_free");
    if (call.failed() || memory == nullptr) return call.status();
    return call.run(&BackendTable::host_memory_free, memory);
}

velu_status velu_memory_copy_async(velu_context* context, int32_t stream, int32_t direction, const void* source,
                                   void* destination, int64_t bytes) {
    Call call(context, "velu_memory_copy_async");
    if (call.failed()) return call.status();
    call.range("stream", stream, VELU_STREAM_COMPUTE, VELU_STREAM_TRANSFER);
    call.range("direction", direction, VELU_COPY_HOST_TO_DEVICE, VELU_COPY_DEVICE_TO_DEVICE);
    call.range("bytes", bytes, 0, velu::kMaxBytes);
    if (call.failed() || bytes == 0) return call.status();
    call.buffers({velu::input("source", source, bytes, 1), velu::output("destination", destination, bytes, 1)});
    return call.run(&BackendTable::memory_copy_async, stream, direction, source, destination, bytes);
}
