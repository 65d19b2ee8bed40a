// The entries for backend, devices and contexts.
#include "cuda/context.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include "cuda/conv2d.h"
#include "cuda/dynlink/libraries.h"
#include "cuda/linear.h"
#include "cuda/operations.h"

namespace velu::cuda {
namespace {

/// Oldest compute capability that the kernels are compiled for, times 10.
constexpr int kOldestCapability = 80;

/// Stores the number of devices; why there is none, or nullptr.
const char* count_devices(int* count, char* reason, size_t capacity) {
    *count = 0;
    int driver = 0;
    int runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    const cudaError_t status = cudaGetDeviceCount(count);
    if (status == cudaSuccess && *count > 0) return nullptr;
    *count = 0;
    cudaGetLastError();  // a failed query is no error of the calls to come
    if (driver == 0) {
        std::snprintf(reason, capacity, "no NVIDIA driver is installed: libcuda.so.1 cannot be loaded");
    } else if (status == cudaErrorInsufficientDriver) {
        std::snprintf(reason, capacity,
                      "the NVIDIA driver supports CUDA %d.%d, this library needs %d.%d; install a newer driver",
                      driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    } else if (status == cudaErrorNoDevice || status == cudaSuccess) {
        const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
        if (visible == nullptr) {
            std::snprintf(reason, capacity, "the NVIDIA driver finds no GPU");
        } else {
            std::snprintf(reason, capacity, "no GPU is visible: CUDA_VISIBLE_DEVICES is \"%.64s\"", visible);
        }
    } else {
        std::snprintf(reason, capacity, "cudaGetDeviceCount: %s (%s)", cudaGetErrorName(status),
                      cudaGetErrorString(status));
    }
    return reason;
}

int capability_of(int index) {
    int major = 0;
    int minor = 0;
    check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index), "cudaDeviceGetAttribute");
    check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, index), "cudaDeviceGetAttribute");
    return 10 * major + minor;
}

int multiprocessors_of(int index) {
    int count = 0;
    check(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, index), "cudaDeviceGetAttribute");
    return count;
}

}  // namespace

void check(cudaError_t status, const char* call) {
    if (status == cudaSuccess) return;
    cudaGetLastError();  // what is reported here is not reported again
    const velu_status kind = status == cudaErrorMemoryAllocation ? VELU_STATUS_OUT_OF_MEMORY : VELU_STATUS_INTERNAL;
    throw Failure(kind, std::string(call) + ": " + cudaGetErrorName(status) + " (" + cudaGetErrorString(status) + ")");
}

Workspace::~Workspace() {
    for (void* block : blocks_) cudaFree(block);
}

void* Workspace::reserve(size_t bytes, bool recording) {
    if (bytes > capacity_ || blocks_.empty()) {
        if (recording) {
            throw Failure(VELU_STATUS_INVALID_ARGUMENT,
                          "it needs more scratch memory than there is, and none can be allocated while a graph is "
                          "recorded; run the operation once before velu_graph_begin");
        }
        constexpr size_t kLeast = size_t{1} << 20;
        const size_t capacity = std::max({kLeast, bytes, 2 * capacity_});
        void* block = nullptr;
        cudaError_t status = cudaMalloc(&block, capacity);
        size_t got = capacity;
        if (status != cudaSuccess && bytes < capacity) {  // without the room to grow into
            cudaGetLastError();
            got = std::max(kLeast, bytes);
            status = cudaMalloc(&block, got);
        }
        if (status == cudaErrorMemoryAllocation) {
            cudaGetLastError();
            size_t free = 0;
            size_t total = 0;
            cudaMemGetInfo(&free, &total);
            throw Failure(VELU_STATUS_OUT_OF_MEMORY, std::to_string(bytes) + " bytes of scratch memory are needed; " +
                                                         std::to_string(free) + " of " + std::to_string(total) +
                                                         " bytes of the device are free; use a smaller batch or model");
        }
        check(status, "cudaMalloc");
        blocks_.push_back(block);
        capacity_ = got;
        held_ += got;
    }
    return blocks_.back();
}

Context::~Context() {
    cudaSetDevice(index);
    for (cudaStream_t stream : streams) {
        if (stream != nullptr) cudaStreamSynchronize(stream);
    }
    conv2d.reset();  // cuDNN's handle holds on to the compute stream
    linear.reset();
    for (cudaStream_t stream : streams) {
        if (stream != nullptr) cudaStreamDestroy(stream);
    }
}

velu_status backend_query(velu_backend_info* info) {
    info->device = VELU_DEVICE_CUDA;
    int count = 0;
    const char* reason = count_devices(&count, info->reason, sizeof info->reason);
    info->available = reason == nullptr ? 1 : 0;
    info->device_count = count;
    int runtime = 0;
    int driver = 0;
    cudaRuntimeGetVersion(&runtime);
    cudaDriverGetVersion(&driver);
    try {
        const std::string libraries = dynlink::describe();
        char supported[32] = "no driver";
        if (driver != 0) {
            std::snprintf(supported, sizeof supported, "driver %d.%d", driver / 1000, driver % 1000 / 10);
        }
        std::snprintf(info->libraries, sizeof info->libraries, "CUDA runtime %d.%d (%s)\n%s", runtime / 1000,
                      runtime % 1000 / 10, supported, libraries.c_str());
    } catch (const std::exception& e) {
        std::snprintf(info->libraries, sizeof info->libraries, "%s", e.what());
    }
    return VELU_STATUS_SUCCESS;
}

velu_status device_query(int32_t index, velu_device_info* info) {
    int count = 0;
    char reason[512];
    if (count_devices(&count, reason, sizeof reason) != nullptr) return VELU_STATUS_BACKEND_UNAVAILABLE;
    if (index >= count) return VELU_STATUS_INVALID_ARGUMENT;
    try {
        cudaDeviceProp properties;
        check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
        check(cudaSetDevice(index), "cudaSetDevice");
        size_t free = 0;
        size_t total = 0;
        check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
        info->memory_total = static_cast<int64_t>(total);
        info->memory_free = static_cast<int64_t>(free);
        info->cores = multiprocessors_of(index);
        info->isa = capability_of(index);
        info->dtypes = 1 << VELU_DTYPE_F32 | 1 << VELU_DTYPE_BF16;
        std::snprintf(info->name, sizeof info->name, "%.127s", properties.name);
        return VELU_STATUS_SUCCESS;
    } catch (const Failure& failure) {
        return failure.status();
    }
}

velu_status context_create(const velu_context_desc* desc, DeviceContext** context, char* message,
                           size_t message_capacity) {
    const auto fail = [message, message_capacity](velu_status status, const char* format, auto... values) {
        std::snprintf(message, message_capacity, format, values...);
        return status;
    };
    int count = 0;
    char reason[512];
    if (count_devices(&count, reason, sizeof reason) != nullptr) {
        return fail(VELU_STATUS_BACKEND_UNAVAILABLE, "the cuda backend is unavailable: %s", reason);
    }
    if (desc->device_index >= count || desc->device_index < 0) {
        return fail(VELU_STATUS_INVALID_ARGUMENT, "device_index is %" PRId32 "; there are %d CUDA devices, from 0",
                    desc->device_index, count);
    }
    try {
        auto created = std::make_unique<Context>();
        created->index = desc->device_index;
        created->capability = capability_of(created->index);
        if (created->capability < kOldestCapability) {
            return fail(VELU_STATUS_UNSUPPORTED,
                        "device %d has compute capability %d.%d; the kernels are compiled for %d.%d and newer",
                        created->index, created->capability / 10, created->capability % 10, kOldestCapability / 10,
                        kOldestCapability % 10);
        }
        created->multiprocessors = multiprocessors_of(created->index);
        created->allow_tf32 = desc->allow_tf32 != 0;
        check(cudaSetDevice(created->index), "cudaSetDevice");
        for (cudaStream_t& stream : created->streams) {
            check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
        }
        *context = created.release();
        return VELU_STATUS_SUCCESS;
    } catch (const Failure& failure) {
        return fail(failure.status(), "%s", failure.what());
    } catch (const std::bad_alloc&) {
        return fail(VELU_STATUS_OUT_OF_MEMORY, "%s", "out of host memory");
    } catch (const std::exception& e) {
        return fail(VELU_STATUS_INTERNAL, "%s", e.what());
    }
}

void context_destroy(DeviceContext* context) {
    delete &cuda(context);
}

velu_status context_synchronize(DeviceContext* context) {
    return guarded(context, [](Context& ctx) {
        require_not_recording(ctx);
        for (cudaStream_t stream : ctx.streams) check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
    });
}

velu_status context_threads(DeviceContext*, int32_t* threads) {
    *threads = 0;
    return VELU_STATUS_SUCCESS;
}

velu_status context_workspace_size(DeviceContext* context, int64_t* bytes) {
    *bytes = static_cast<int64_t>(cuda(context).workspace.size());
    return VELU_STATUS_SUCCESS;
}

}  // namespace velu::cuda
