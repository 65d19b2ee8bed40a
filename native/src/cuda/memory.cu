// Device memory by cudaMalloc, page-locked host memory, and copies. Everything goes through the context's own streams,
// so that it is ordered with the operations.
#include <cstring>

#include "cuda/context.h"
#include "cuda/operations.h"

namespace velu::cuda {
namespace {

cudaMemcpyKind kind_of(int32_t direction) {
    switch (direction) {
        case VELU_COPY_HOST_TO_DEVICE:
            return cudaMemcpyHostToDevice;
        case VELU_COPY_DEVICE_TO_HOST:
            return cudaMemcpyDeviceToHost;
        default:
            return cudaMemcpyDeviceToDevice;
    }
}

[[noreturn]] void throw_out_of_memory(int64_t bytes) {
    cudaGetLastError();
    size_t free = 0;
    size_t total = 0;
    cudaMemGetInfo(&free, &total);
    throw Failure(VELU_STATUS_OUT_OF_MEMORY, std::to_string(bytes) + " bytes of device memory are asked for; " +
                                                 std::to_string(free) + " of " + std::to_string(total) +
                                                 " bytes are free; use a smaller batch or model");
}

}  // namespace

velu_status memory_allocate(DeviceContext* context, int64_t bytes, void** memory) {
    return guarded(context, [&](Context& ctx) {
        require_not_recording(ctx);
        void* allocated = nullptr;
        const cudaError_t status = cudaMalloc(&allocated, static_cast<size_t>(bytes));
        if (status == cudaErrorMemoryAllocation) throw_out_of_memory(bytes);
        check(status, "cudaMalloc");
        const cudaError_t cleared = cudaMemsetAsync(allocated, 0, static_cast<size_t>(bytes), ctx.compute());
        if (cleared != cudaSuccess) {
            cudaFree(allocated);
            check(cleared, "cudaMemsetAsync");
        }
        // The transfer stream may be the first to use it.
        check(cudaStreamSynchronize(ctx.compute()), "cudaStreamSynchronize");
        *memory = allocated;
    });
}

velu_status memory_free(DeviceContext* context, void* memory) {
    return guarded(context, [&](Context& ctx) {
        require_not_recording(ctx);
        check(cudaFree(memory), "cudaFree");  // waits for the work that uses it
    });
}

velu_status memory_copy(DeviceContext* context, int32_t direction, const void* source, void* destination,
                        int64_t bytes) {
    return guarded(context, [&](Context& ctx) {
        require_not_recording(ctx);
        check(cudaMemcpyAsync(destination, source, static_cast<size_t>(bytes), kind_of(direction), ctx.compute()),
              "cudaMemcpyAsync");
        check(cudaStreamSynchronize(ctx.compute()), "cudaStreamSynchronize");
    });
}

velu_status memory_set(DeviceContext* context, void* memory, int32_t value, int64_t bytes) {
    return guarded(context, [&](Context& ctx) {
        check(cudaMemsetAsync(memory, value & 0xFF, static_cast<size_t>(bytes), ctx.compute()), "cudaMemsetAsync");
    });
}

velu_status host_memory_allocate(DeviceContext* context, int64_t bytes, void** memory) {
    return guarded(context, [&](Context& ctx) {
        require_not_recording(ctx);
        void* allocated = nullptr;
        const cudaError_t status = cudaHostAlloc(&allocated, static_cast<size_t>(bytes), cudaHostAllocPortable);
        if (status == cudaErrorMemoryAllocation) {
            cudaGetLastError();
            throw Failure(VELU_STATUS_OUT_OF_MEMORY, std::to_string(bytes) +
                                                         " bytes of page-locked host memory cannot be had; raise the "
                                                         "limit of locked memory or use a smaller batch");
        }
        check(status, "cudaHostAlloc");
        std::memset(allocated, 0, static_cast<size_t>(bytes));
        *memory = allocated;
    });
}

velu_status host_memory_free(DeviceContext* context, void* memory) {
    return guarded(context, [&](Context& ctx) {
        require_not_recording(ctx);
        check(cudaFreeHost(memory), "cudaFreeHost");
    });
}

velu_status memory_copy_async(DeviceContext* context, int32_t stream, int32_t direction, const void* source,
                              void* destination, int64_t bytes) {
    return guarded(context, [&](Context& ctx) {
        check(cudaMemcpyAsync(destination, source, static_cast<size_t>(bytes), kind_of(direction), ctx.streams[stream]),
              "cudaMemcpyAsync");
    });
}

}  // namespace velu::cuda
