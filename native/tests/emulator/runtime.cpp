// The calls of the CUDA runtime: devices, memory, streams, events, captures and graphs.
//
// A stream is a queue of closures. Immediate streams are empty after every call; deferred ones only run what the host
// waits for and what that depends on. One lock guards everything, so host threads may share the device.
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>
#include <vector>

#include "emulator.h"
#include "internal.h"

using emulator::DeviceAccess;
using Clock = std::chrono::steady_clock;

struct CUstream_st;

namespace {

/// What a recorded event stands for; shared with the queues that it is in, so that events can be destroyed early.
struct Moment {
    CUstream_st* stream = nullptr;
    uint64_t recorded = 0;  // number of times put on a stream
    uint64_t reached = 0;   // ... and reached there
    Clock::time_point time;
};

struct Work {
    std::function<void()> run;       // or, if empty:
    std::shared_ptr<Moment> moment;  // an event to mark as reached, or to wait for
    uint64_t version = 0;
    bool wait = false;
};

/// A capture of one or more streams into a graph.
struct Capture {
    CUstream_st* origin = nullptr;
    std::thread::id thread;
    cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
    bool invalid = false;
    std::vector<std::function<void()>> work;
    std::set<CUstream_st*> streams;   // that record into it
    std::set<CUstream_st*> unjoined;  // with work that origin does not wait for yet
};

}  // namespace

struct CUstream_st {
    int device = 0;
    bool blocking = false;  // waits for the default stream, and that for it
    bool deferred = false;
    std::deque<Work> queue;
    std::shared_ptr<Capture> capture;
};

struct CUevent_st {
    int device = 0;
    bool timing = true;
    std::shared_ptr<Moment> moment = std::make_shared<Moment>();
    std::shared_ptr<Capture> capture;  // it was last recorded in
    CUstream_st* captured_from = nullptr;
};

struct CUgraph_st {
    std::vector<std::function<void()>> work;
};

struct CUgraphExec_st {
    std::shared_ptr<std::vector<std::function<void()>>> work;
};

namespace {

constexpr int kMostDevices = 8;

struct Runtime {
    std::recursive_mutex mutex;
    std::array<CUstream_st, kMostDevices> default_streams;
    std::set<CUstream_st*> streams;
    std::set<CUevent_st*> events;
    std::set<CUgraph_st*> graphs;
    std::set<CUgraphExec_st*> executables;
    std::unordered_map<void*, size_t> host_memory;
    std::vector<std::weak_ptr<Capture>> captures;
};

/// Never destroyed: threads may still call at exit.
Runtime& runtime() {
    static auto* instance = new Runtime;
    return *instance;
}

thread_local int current_device = 0;
thread_local cudaError_t last_error = cudaSuccess;
thread_local cudaStreamCaptureMode thread_mode = cudaStreamCaptureModeGlobal;

cudaError_t result(cudaError_t error) {
    if (error != cudaSuccess && error != cudaErrorNotReady) last_error = error;
    return error;
}

int device_count() {
    const int64_t count = emulator::environment("VELU_EMULATOR_DEVICES", 1);
    if (count > kMostDevices) emulator::die("VELU_EMULATOR_DEVICES is above %d", kMostDevices);
    return static_cast<int>(count);
}

int multiprocessors() {
    return static_cast<int>(emulator::environment("VELU_EMULATOR_MULTIPROCESSORS", 2));
}

/// Every call of the runtime: under the lock, with a device, its error kept for cudaGetLastError. A throw of the C++
/// library would cross a C interface.
template <class Body>
cudaError_t call(const Body& body) noexcept {
    const std::lock_guard<std::recursive_mutex> lock(runtime().mutex);
    if (device_count() == 0) return result(cudaErrorNoDevice);
    return result(body());
}

CUstream_st* find_stream(cudaStream_t stream) {
    if (stream == nullptr || stream == cudaStreamLegacy) {
        CUstream_st& own = runtime().default_streams[static_cast<size_t>(current_device)];
        own.device = current_device;
        own.blocking = true;
        return &own;
    }
    return runtime().streams.count(stream) ? stream : nullptr;
}

bool is_default(const CUstream_st* stream) {
    const auto& all = runtime().default_streams;
    return stream >= all.data() && stream < all.data() + all.size();
}

// ---------------------------------------------------------------------------------------------------------------------
// Running what is on streams

void run_next(CUstream_st& stream);

void run_until(const Moment& moment, uint64_t version) {
    while (moment.reached < version) {
        if (moment.stream == nullptr || moment.stream->queue.empty())
            emulator::die("a stream waits for an event that no stream will reach");
        run_next(*moment.stream);
    }
}

void run_next(CUstream_st& stream) {
    Work work = std::move(stream.queue.front());
    stream.queue.pop_front();
    if (work.run) {
        const DeviceAccess access;
        work.run();
    } else if (work.wait) {
        run_until(*work.moment, work.version);
    } else {
        work.moment->reached = work.version;
        work.moment->time = Clock::now();
    }
}

void drain(CUstream_st& stream) {
    while (!stream.queue.empty()) run_next(stream);
}

void drain_device() {
    drain(*find_stream(nullptr));
    for (CUstream_st* stream : runtime().streams) {
        if (stream->device == current_device) drain(*stream);
    }
}

/// The default stream and the streams that are blocking wait for each other's work.
void drain_before(const CUstream_st& stream) {
    if (is_default(&stream)) {
        for (CUstream_st* other : runtime().streams) {
            if (other->blocking && other->device == stream.device) drain(*other);
        }
    } else if (stream.blocking) {
        drain(runtime().default_streams[static_cast<size_t>(stream.device)]);
    }
}

void invalidate(const std::shared_ptr<Capture>& capture) {
    if (capture) capture->invalid = true;
}

/// An error if a capture forbids this thread a call that might wait for the device or allocate.
cudaError_t unsafe_call() {
    for (const auto& weak : runtime().captures) {
        const std::shared_ptr<Capture> capture = weak.lock();
        if (!capture || capture->mode == cudaStreamCaptureModeRelaxed) continue;
        const bool own = capture->thread == std::this_thread::get_id();
        const bool forbidden =
            own ? thread_mode != cudaStreamCaptureModeRelaxed
                : capture->mode == cudaStreamCaptureModeGlobal && thread_mode == cudaStreamCaptureModeGlobal;
        if (!forbidden) continue;
        invalidate(capture);
        return cudaErrorStreamCaptureUnsupported;
    }
    return cudaSuccess;
}

/// The default stream cannot be used while a blocking stream records: it would have to wait for it.
cudaError_t implicit_wait(const CUstream_st& stream) {
    if (!is_default(&stream)) return cudaSuccess;
    for (CUstream_st* other : runtime().streams) {
        if (other->capture && other->blocking && other->device == stream.device) {
            invalidate(other->capture);
            return cudaErrorStreamCaptureImplicit;
        }
    }
    return cudaSuccess;
}

/// Runs work, puts it in the queue, or records it.
cudaError_t put(cudaStream_t handle, std::function<void()> run) {
    CUstream_st* stream = find_stream(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream->capture) {
        if (stream->capture->invalid) return cudaErrorStreamCaptureInvalidated;
        stream->capture->work.push_back(std::move(run));
        if (stream != stream->capture->origin) stream->capture->unjoined.insert(stream);
        return cudaSuccess;
    }
    if (const cudaError_t error = implicit_wait(*stream)) return error;
    drain_before(*stream);
    stream->queue.push_back({std::move(run), nullptr, 0, false});
    if (!stream->deferred) drain(*stream);
    return cudaSuccess;
}

/// The host waits for a stream; not while it records.
cudaError_t wait_for(CUstream_st* stream) {
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream->capture) {
        invalidate(stream->capture);
        return cudaErrorStreamCaptureUnsupported;
    }
    if (const cudaError_t error = implicit_wait(*stream)) return error;
    drain_before(*stream);
    drain(*stream);
    emulator::check_canaries();
    return cudaSuccess;
}

// ---------------------------------------------------------------------------------------------------------------------
// Copies

/// The copy's sides: device memory must be allocated, and the host's side must not be device memory. Host memory passes
/// for device memory, so that tests can compute on their own arrays.
cudaError_t check_copy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault) return cudaErrorInvalidMemcpyDirection;
    if (bytes == 0) return cudaSuccess;
    if (to == nullptr || from == nullptr) return cudaErrorInvalidValue;
    const bool to_device = emulator::device_of(to) >= 0, from_device = emulator::device_of(from) >= 0;
    if (to_device && !emulator::is_allocated(to, bytes)) return cudaErrorInvalidValue;
    if (from_device && !emulator::is_allocated(from, bytes)) return cudaErrorInvalidValue;
    if (from_device && (kind == cudaMemcpyHostToDevice || kind == cudaMemcpyHostToHost)) return cudaErrorInvalidValue;
    if (to_device && (kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyHostToHost)) return cudaErrorInvalidValue;
    return cudaSuccess;
}

bool is_page_locked(const void* memory, size_t bytes) {
    for (const auto& [start, size] : runtime().host_memory) {
        const auto* first = static_cast<const char*>(start);
        const auto* p = static_cast<const char*>(memory);
        if (p >= first && p + bytes <= first + size) return true;
    }
    return false;
}

std::function<void()> copy_work(void* to, const void* from, size_t bytes) {
    return [to, from, bytes] {
        // A test's own allocation may be gone: then AddressSanitizer reports it here.
        std::memmove(to, from, bytes);
    };
}

std::function<void()> set_work(void* memory, int value, size_t bytes) {
    return [memory, value, bytes] { std::memset(memory, value, bytes); };
}

cudaError_t check_set(void* memory, size_t bytes) {
    if (bytes == 0) return cudaSuccess;
    if (memory == nullptr) return cudaErrorInvalidValue;
    return emulator::device_of(memory) >= 0 && !emulator::is_allocated(memory, bytes) ? cudaErrorInvalidValue
                                                                                      : cudaSuccess;
}

}  // namespace

// ---------------------------------------------------------------------------------------------------------------------
// Errors and versions

#define VELU_EMULATOR_ERRORS(X)                                                                                       \
    X(cudaSuccess, "no error")                                                                                        \
    X(cudaErrorInvalidValue, "invalid argument")                                                                      \
    X(cudaErrorMemoryAllocation, "out of memory")                                                                     \
    X(cudaErrorInitializationError, "initialization error")                                                           \
    X(cudaErrorCudartUnloading, "driver shutting down")                                                               \
    X(cudaErrorInvalidConfiguration, "invalid configuration argument")                                                \
    X(cudaErrorInvalidMemcpyDirection, "invalid copy direction for memcpy")                                           \
    X(cudaErrorInsufficientDriver, "CUDA driver version is insufficient for CUDA runtime version")                    \
    X(cudaErrorInvalidDeviceFunction, "invalid device function")                                                      \
    X(cudaErrorNoDevice, "no CUDA-capable device is detected")                                                        \
    X(cudaErrorInvalidDevice, "invalid device ordinal")                                                               \
    X(cudaErrorNoKernelImageForDevice, "no kernel image is available for execution on the device")                    \
    X(cudaErrorInvalidResourceHandle, "invalid resource handle")                                                      \
    X(cudaErrorNotReady, "device not ready")                                                                          \
    X(cudaErrorIllegalAddress, "an illegal memory access was encountered")                                            \
    X(cudaErrorLaunchOutOfResources, "too many resources requested for launch")                                       \
    X(cudaErrorLaunchFailure, "unspecified launch failure")                                                           \
    X(cudaErrorNotSupported, "operation not supported")                                                               \
    X(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing")                          \
    X(cudaErrorStreamCaptureInvalidated, "operation failed due to a previous error during capture")                   \
    X(cudaErrorStreamCaptureMerge, "operation would result in a merge of separate capture sequences")                 \
    X(cudaErrorStreamCaptureUnmatched, "capture was not ended in the same stream as it began")                        \
    X(cudaErrorStreamCaptureUnjoined, "capturing stream has unjoined work")                                           \
    X(cudaErrorStreamCaptureIsolation, "dependency created on uncaptured work in another stream")                     \
    X(cudaErrorStreamCaptureImplicit, "operation would make the legacy stream depend on a capturing blocking stream") \
    X(cudaErrorCapturedEvent, "operation not permitted on an event last recorded in a capturing stream")              \
    X(cudaErrorStreamCaptureWrongThread, "attempt to terminate a thread-local capture sequence from another thread")

const char* cudaGetErrorName(cudaError_t error) {
    switch (error) {
#define VELU_EMULATOR_NAME(name, text) \
    case name:                         \
        return #name;
        VELU_EMULATOR_ERRORS(VELU_EMULATOR_NAME)
        default:
            return "cudaErrorUnknown";
    }
}

const char* cudaGetErrorString(cudaError_t error) {
    switch (error) {
#define VELU_EMULATOR_TEXT(name, text) \
    case name:                         \
        return text;
        VELU_EMULATOR_ERRORS(VELU_EMULATOR_TEXT)
        default:
            return "unknown error";
    }
}

cudaError_t cudaGetLastError() {
    return std::exchange(last_error, cudaSuccess);
}

cudaError_t cudaPeekAtLastError() {
    return last_error;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}

// ---------------------------------------------------------------------------------------------------------------------
// Devices

cudaError_t cudaGetDeviceCount(int* count) {
    *count = 0;
    return call([&] {
        *count = device_count();
        return cudaSuccess;
    });
}

cudaError_t cudaGetDevice(int* device) {
    return call([&] {
        *device = current_device;
        return cudaSuccess;
    });
}

cudaError_t cudaSetDevice(int device) {
    return call([&] {
        if (device < 0 || device >= device_count()) return cudaErrorInvalidDevice;
        current_device = device;
        return cudaSuccess;
    });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
    return call([&] {
        if (device < 0 || device >= device_count()) return cudaErrorInvalidDevice;
        *properties = {};
        size_t free = 0;
        std::snprintf(properties->name, sizeof properties->name, "Host emulation");
        emulator::memory_information(device, &free, &properties->totalGlobalMem);
        properties->sharedMemPerBlock = size_t{48} << 10;
        properties->regsPerBlock = 65536;
        properties->warpSize = warpSize;
        properties->maxThreadsPerBlock = 1024;
        properties->maxThreadsDim[0] = properties->maxThreadsDim[1] = 1024;
        properties->maxThreadsDim[2] = 64;
        properties->maxGridSize[0] = 0x7FFFFFFF;
        properties->maxGridSize[1] = properties->maxGridSize[2] = 65535;
        properties->totalConstMem = size_t{64} << 10;
        properties->major = 9;
        properties->minor = 0;
        properties->multiProcessorCount = multiprocessors();
        properties->concurrentKernels = 1;
        properties->asyncEngineCount = 1;
        properties->unifiedAddressing = 1;
        properties->memoryBusWidth = 64;
        properties->l2CacheSize = 1 << 20;
        properties->maxThreadsPerMultiProcessor = 2048;
        properties->sharedMemPerMultiprocessor = size_t{228} << 10;
        properties->regsPerMultiprocessor = 65536;
        properties->maxBlocksPerMultiProcessor = 32;
        return cudaSuccess;
    });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
    cudaDeviceProp properties;
    if (const cudaError_t error = cudaGetDeviceProperties(&properties, device)) return error;
    switch (attribute) {
        case cudaDevAttrMaxThreadsPerBlock:
            *value = properties.maxThreadsPerBlock;
            return cudaSuccess;
        case cudaDevAttrMaxSharedMemoryPerBlock:
            *value = static_cast<int>(properties.sharedMemPerBlock);
            return cudaSuccess;
        case cudaDevAttrWarpSize:
            *value = properties.warpSize;
            return cudaSuccess;
        case cudaDevAttrMultiProcessorCount:
            *value = properties.multiProcessorCount;
            return cudaSuccess;
        case cudaDevAttrL2CacheSize:
            *value = properties.l2CacheSize;
            return cudaSuccess;
        case cudaDevAttrMaxThreadsPerMultiProcessor:
            *value = properties.maxThreadsPerMultiProcessor;
            return cudaSuccess;
        case cudaDevAttrComputeCapabilityMajor:
            *value = properties.major;
            return cudaSuccess;
        case cudaDevAttrComputeCapabilityMinor:
            *value = properties.minor;
            return cudaSuccess;
        case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
            *value = static_cast<int>(properties.sharedMemPerMultiprocessor);
            return cudaSuccess;
        case cudaDevAttrMaxRegistersPerMultiprocessor:
            *value = properties.regsPerMultiprocessor;
            return cudaSuccess;
        case cudaDevAttrMaxBlocksPerMultiprocessor:
            *value = properties.maxBlocksPerMultiProcessor;
            return cudaSuccess;
    }
    return result(cudaErrorInvalidValue);
}

cudaError_t cudaDeviceSynchronize() {
    return call([&] {
        if (const cudaError_t error = unsafe_call()) return error;
        drain_device();
        emulator::check_canaries();
        return cudaSuccess;
    });
}

// ---------------------------------------------------------------------------------------------------------------------
// Memory

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
    return call([&] {
        emulator::memory_information(current_device, free, total);
        return cudaSuccess;
    });
}

cudaError_t cudaMalloc(void** memory, size_t bytes) {
    return call([&] {
        if (memory == nullptr) return cudaErrorInvalidValue;
        if (const cudaError_t error = unsafe_call()) return error;
        *memory = nullptr;
        if (bytes == 0) return cudaSuccess;
        return emulator::allocate(current_device, bytes, memory);
    });
}

cudaError_t cudaFree(void* memory) {
    return call([&] {
        if (const cudaError_t error = unsafe_call()) return error;
        drain_device();
        return memory == nullptr ? cudaSuccess : emulator::release(memory);
    });
}

cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned) {
    return call([&] {
        if (memory == nullptr) return cudaErrorInvalidValue;
        if (const cudaError_t error = unsafe_call()) return error;
        *memory = nullptr;
        if (bytes == 0) return cudaSuccess;
        if (bytes > SIZE_MAX / 2) return cudaErrorMemoryAllocation;
        *memory = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
        if (*memory == nullptr) return cudaErrorMemoryAllocation;
        runtime().host_memory[*memory] = bytes;
        return cudaSuccess;
    });
}

cudaError_t cudaMallocHost(void** memory, size_t bytes) {
    return cudaHostAlloc(memory, bytes, cudaHostAllocDefault);
}

cudaError_t cudaFreeHost(void* memory) {
    return call([&] {
        if (const cudaError_t error = unsafe_call()) return error;
        if (memory == nullptr) return cudaSuccess;
        if (runtime().host_memory.erase(memory) == 0) return cudaErrorInvalidValue;
        drain_device();
        std::free(memory);
        return cudaSuccess;
    });
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* memory) {
    return call([&] {
        *attributes = {};
        const int device = emulator::device_of(memory);
        attributes->device = device >= 0 ? device : current_device;
        if (device >= 0) {
            attributes->type = cudaMemoryTypeDevice;
            attributes->devicePointer = const_cast<void*>(memory);
        } else if (is_page_locked(memory, 1)) {
            attributes->type = cudaMemoryTypeHost;
            attributes->devicePointer = attributes->hostPointer = const_cast<void*>(memory);
        } else {
            attributes->hostPointer = const_cast<void*>(memory);
        }
        return cudaSuccess;
    });
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    return call([&] {
        if (const cudaError_t error = unsafe_call()) return error;
        if (const cudaError_t error = check_copy(to, from, bytes, kind)) return error;
        if (const cudaError_t error = put(nullptr, copy_work(to, from, bytes))) return error;
        drain(*find_stream(nullptr));
        emulator::check_canaries();
        return cudaSuccess;
    });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
    return call([&] {
        if (const cudaError_t error = check_copy(to, from, bytes, kind)) return error;
        const CUstream_st* found = find_stream(stream);
        if (found != nullptr && found->capture) {
            // A copy of pageable memory may wait for the stream.
            const bool pageable = (kind == cudaMemcpyHostToDevice && !is_page_locked(from, bytes)) ||
                                  (kind == cudaMemcpyDeviceToHost && !is_page_locked(to, bytes));
            if (pageable) {
                invalidate(found->capture);
                return cudaErrorStreamCaptureUnsupported;
            }
        }
        return put(stream, copy_work(to, from, bytes));
    });
}

cudaError_t cudaMemset(void* memory, int value, size_t bytes) {
    return call([&] {
        if (const cudaError_t error = unsafe_call()) return error;
        if (const cudaError_t error = check_set(memory, bytes)) return error;
        return put(nullptr, set_work(memory, value, bytes));
    });
}

cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream) {
    return call([&] {
        if (const cudaError_t error = check_set(memory, bytes)) return error;
        return put(stream, set_work(memory, value, bytes));
    });
}

// ---------------------------------------------------------------------------------------------------------------------
// Streams

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
    return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
    return call([&] {
        if (stream == nullptr || flags > cudaStreamNonBlocking) return cudaErrorInvalidValue;
        auto* made = new CUstream_st;
        made->device = current_device;
        made->blocking = flags == cudaStreamDefault;
        made->deferred = emulator::environment_is_second("VELU_EMULATOR_STREAMS", "immediate", "deferred");
        runtime().streams.insert(made);
        *stream = made;
        return cudaSuccess;
    });
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) {
    return cudaStreamCreateWithFlags(stream, flags);
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
    return call([&] {
        *least = *greatest = 0;
        return cudaSuccess;
    });
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    return call([&] {
        if (runtime().streams.count(stream) == 0) return cudaErrorInvalidResourceHandle;
        if (stream->capture) return cudaErrorStreamCaptureUnsupported;
        drain(*stream);
        runtime().streams.erase(stream);
        for (CUevent_st* event : runtime().events) {
            if (event->moment->stream == stream) event->moment->stream = nullptr;
            if (event->captured_from == stream) event->captured_from = nullptr;
        }
        delete stream;
        return cudaSuccess;
    });
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    return call([&] { return wait_for(find_stream(stream)); });
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
    return call([&] {
        CUstream_st* stream = find_stream(handle);
        if (stream == nullptr) return cudaErrorInvalidResourceHandle;
        if (stream->capture) {
            invalidate(stream->capture);
            return cudaErrorStreamCaptureUnsupported;
        }
        if (stream->queue.empty()) return cudaSuccess;
        run_next(*stream);  // time passes while the host polls
        return cudaErrorNotReady;
    });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned) {
    return call([&] {
        CUstream_st* stream = find_stream(handle);
        if (stream == nullptr || runtime().events.count(event) == 0) return cudaErrorInvalidResourceHandle;
        if (event->capture) {
            const std::shared_ptr<Capture> capture = event->capture;
            if (capture->invalid) return cudaErrorStreamCaptureInvalidated;
            if (stream->capture && stream->capture != capture) {
                invalidate(stream->capture);
                invalidate(capture);
                return cudaErrorStreamCaptureMerge;
            }
            if (is_default(stream)) {
                invalidate(capture);
                return cudaErrorStreamCaptureImplicit;
            }
            stream->capture = capture;
            capture->streams.insert(stream);
            // Whatever is recorded is in one order, that of the calls; only what origin never waits for is an error.
            if (stream == capture->origin) {
                capture->unjoined.erase(event->captured_from);
            } else {
                capture->unjoined.insert(stream);
            }
            return cudaSuccess;
        }
        if (stream->capture) {
            if (event->moment->recorded == 0) return cudaSuccess;
            invalidate(stream->capture);
            return cudaErrorStreamCaptureIsolation;
        }
        if (event->moment->recorded == event->moment->reached) return cudaSuccess;
        stream->queue.push_back({nullptr, event->moment, event->moment->recorded, true});
        if (!stream->deferred) drain(*stream);
        return cudaSuccess;
    });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
    return call([&] { return put(stream, [function, data] { function(data); }); });
}

// ---------------------------------------------------------------------------------------------------------------------
// Events

cudaError_t cudaEventCreate(cudaEvent_t* event) {
    return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
    return call([&] {
        if (event == nullptr || flags > (cudaEventBlockingSync | cudaEventDisableTiming)) return cudaErrorInvalidValue;
        auto* made = new CUevent_st;
        made->device = current_device;
        made->timing = (flags & cudaEventDisableTiming) == 0;
        runtime().events.insert(made);
        *event = made;
        return cudaSuccess;
    });
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    return call([&] {
        if (runtime().events.erase(event) == 0) return cudaErrorInvalidResourceHandle;
        delete event;
        return cudaSuccess;
    });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
    return call([&] {
        CUstream_st* stream = find_stream(handle);
        if (stream == nullptr || runtime().events.count(event) == 0) return cudaErrorInvalidResourceHandle;
        if (event->device != stream->device) return cudaErrorInvalidResourceHandle;
        if (stream->capture) {
            if (stream->capture->invalid) return cudaErrorStreamCaptureInvalidated;
            event->capture = stream->capture;
            event->captured_from = stream;
            return cudaSuccess;
        }
        if (const cudaError_t error = implicit_wait(*stream)) return error;
        event->capture = nullptr;
        Moment& moment = *event->moment;
        if (moment.stream != stream && moment.recorded != moment.reached) {
            // Put on another stream while the former has not reached it: that one marks a moment nobody asks for.
            const uint64_t recorded = moment.recorded;
            event->moment = std::make_shared<Moment>();
            event->moment->recorded = event->moment->reached = recorded;
        }
        event->moment->stream = stream;
        stream->queue.push_back({nullptr, event->moment, ++event->moment->recorded, false});
        if (!stream->deferred) drain(*stream);
        return cudaSuccess;
    });
}

namespace {

cudaError_t captured_event(const CUevent_st& event) {
    if (!event.capture) return cudaSuccess;
    invalidate(event.capture);
    return cudaErrorCapturedEvent;
}

}  // namespace

cudaError_t cudaEventQuery(cudaEvent_t event) {
    return call([&] {
        if (runtime().events.count(event) == 0) return cudaErrorInvalidResourceHandle;
        if (const cudaError_t error = captured_event(*event)) return error;
        const Moment& moment = *event->moment;
        if (moment.reached == moment.recorded) return cudaSuccess;
        run_next(*moment.stream);
        return cudaErrorNotReady;
    });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    return call([&] {
        if (runtime().events.count(event) == 0) return cudaErrorInvalidResourceHandle;
        if (const cudaError_t error = captured_event(*event)) return error;
        run_until(*event->moment, event->moment->recorded);
        emulator::check_canaries();
        return cudaSuccess;
    });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
    return call([&] {
        for (cudaEvent_t event : {start, end}) {
            if (runtime().events.count(event) == 0 || !event->timing || event->moment->recorded == 0)
                return cudaErrorInvalidResourceHandle;
            if (const cudaError_t error = captured_event(*event)) return error;
        }
        for (cudaEvent_t event : {start, end}) {
            if (event->moment->reached != event->moment->recorded) return cudaErrorNotReady;
        }
        *milliseconds = std::chrono::duration<float, std::milli>(end->moment->time - start->moment->time).count();
        return cudaSuccess;
    });
}

// ---------------------------------------------------------------------------------------------------------------------
// Captures and graphs

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
    return call([&] {
        if (runtime().streams.count(stream) == 0)
            return stream == nullptr ? cudaErrorStreamCaptureUnsupported : cudaErrorInvalidResourceHandle;
        if (stream->capture) return cudaErrorStreamCaptureUnsupported;
        auto capture = std::make_shared<Capture>();
        capture->origin = stream;
        capture->thread = std::this_thread::get_id();
        capture->mode = mode;
        capture->streams.insert(stream);
        stream->capture = capture;
        runtime().captures.push_back(capture);
        return cudaSuccess;
    });
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
    return call([&] {
        if (graph == nullptr) return cudaErrorInvalidValue;
        *graph = nullptr;
        if (runtime().streams.count(stream) == 0) return cudaErrorInvalidResourceHandle;
        const std::shared_ptr<Capture> capture = stream->capture;
        if (!capture) return cudaErrorInvalidValue;
        if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != std::this_thread::get_id())
            return cudaErrorStreamCaptureWrongThread;
        if (capture->origin != stream) {
            invalidate(capture);
            return cudaErrorStreamCaptureUnmatched;
        }
        for (CUstream_st* other : capture->streams) {
            if (runtime().streams.count(other)) other->capture = nullptr;
        }
        auto& captures = runtime().captures;
        std::erase_if(captures, [&](const auto& weak) { return weak.expired() || weak.lock() == capture; });
        if (capture->invalid) return cudaErrorStreamCaptureInvalidated;
        if (!capture->unjoined.empty()) return cudaErrorStreamCaptureUnjoined;
        auto* made = new CUgraph_st{std::move(capture->work)};
        runtime().graphs.insert(made);
        *graph = made;
        return cudaSuccess;
    });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
    return call([&] {
        const CUstream_st* stream = find_stream(handle);
        if (stream == nullptr) return cudaErrorInvalidResourceHandle;
        if (const cudaError_t error = implicit_wait(*stream)) return error;
        *status = !stream->capture           ? cudaStreamCaptureStatusNone
                  : stream->capture->invalid ? cudaStreamCaptureStatusInvalidated
                                             : cudaStreamCaptureStatusActive;
        return cudaSuccess;
    });
}

cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
    return call([&] {
        std::swap(*mode, thread_mode);
        return cudaSuccess;
    });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
    return call([&] {
        if (executable == nullptr || runtime().graphs.count(graph) == 0) return cudaErrorInvalidValue;
        auto* made = new CUgraphExec_st{std::make_shared<std::vector<std::function<void()>>>(graph->work)};
        runtime().executables.insert(made);
        *executable = made;
        return cudaSuccess;
    });
}

cudaError_t cudaGraphUpload(cudaGraphExec_t executable, cudaStream_t stream) {
    return call([&] {
        if (runtime().executables.count(executable) == 0) return cudaErrorInvalidValue;
        return find_stream(stream) == nullptr ? cudaErrorInvalidResourceHandle : cudaSuccess;
    });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
    return call([&] {
        if (runtime().executables.count(executable) == 0) return cudaErrorInvalidValue;
        return put(stream, [work = executable->work] {
            for (const auto& run : *work) run();
        });
    });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    return call([&] {
        if (runtime().graphs.erase(graph) == 0) return cudaErrorInvalidValue;
        delete graph;
        return cudaSuccess;
    });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
    return call([&] {
        if (runtime().executables.erase(executable) == 0) return cudaErrorInvalidValue;
        delete executable;
        return cudaSuccess;
    });
}

// ---------------------------------------------------------------------------------------------------------------------
// Kernels

namespace emulator {

cudaError_t launch(const cudaLaunchConfig_t* config, const void* kernel, std::function<void()> thread) {
    return call([&] {
        const dim3 grid = config->gridDim, block = config->blockDim;
        if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
        if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7FFFFFFFu || grid.y > 65535 || grid.z > 65535)
            return cudaErrorInvalidConfiguration;
        if (block.x == 0 || block.y == 0 || block.z == 0 || block.x > 1024 || block.y > 1024 || block.z > 64 ||
            block.x * block.y * block.z > 1024)
            return cudaErrorInvalidConfiguration;
        if (config->dynamicSmemBytes != 0) die("kernel %s asks for dynamic shared memory", symbol(kernel).c_str());
        if (config->numAttrs != 0) return cudaErrorNotSupported;
        return put(config->stream,
                   [grid, block, kernel, thread = std::move(thread)] { run_kernel(kernel, grid, block, thread); });
    });
}

cudaError_t function_attribute(const void* kernel, cudaFuncAttribute, int value) {
    return call([&] { return kernel == nullptr || value < -1 ? cudaErrorInvalidValue : cudaSuccess; });
}

cudaError_t active_blocks(int* blocks, int threads, size_t) {
    return call([&] {
        if (threads < 1 || threads > 1024) return cudaErrorInvalidValue;
        *blocks = std::min(32, 2048 / ((threads + 31) / 32 * 32));
        return cudaSuccess;
    });
}

}  // namespace emulator

int velu_emulator_enqueue(void* stream, void (*work)(const void* data), const void* data, size_t bytes) {
    const auto* first = static_cast<const unsigned char*>(data);
    // Copied with the alignment that malloc gives.
    const std::shared_ptr<unsigned char[]> copy(new unsigned char[bytes + 1]);
    if (bytes != 0) std::memcpy(copy.get(), first, bytes);
    return call([&] { return put(static_cast<cudaStream_t>(stream), [work, copy] { work(copy.get()); }); });
}
