// The host emulation of CUDA that the CUDA backend's tests rely on: does it compute what CUDA does, and does it end the
// process where CUDA leaves the result undefined?
#include <cuda_runtime.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "emulator.h"

#define CHECK_CUDA(call) CHECK_EQUAL(std::string(cudaGetErrorName(call)), "cudaSuccess")
#define CHECK_ERROR(call, error) CHECK_EQUAL(std::string(cudaGetErrorName(call)), #error)

namespace {

using check::test;

constexpr unsigned kAll = 0xFFFFFFFFu;
constexpr const char* kOrders[] = {"forward", "reverse", "shuffled"};

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kAddressSanitizer = true;
#else
constexpr bool kAddressSanitizer = false;
#endif

template <class... Parameters, class... Arguments>
cudaError_t launch(cudaStream_t stream, void (*kernel)(Parameters...), dim3 grid, dim3 block, Arguments... arguments) {
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = block;
    config.stream = stream;
    return cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
}

/// Sets an environment variable while it exists.
struct Environment {
    Environment(const char* name_, const char* value) : name(name_) { setenv(name, value, 1); }
    ~Environment() { unsetenv(name); }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;
    const char* name;
};

struct Stream {
    explicit Stream(bool deferred = false) {
        const Environment mode("VELU_EMULATOR_STREAMS", deferred ? "deferred" : "immediate");
        CHECK_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    }
    ~Stream() { cudaStreamDestroy(stream); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    operator cudaStream_t() const { return stream; }
    cudaStream_t stream = nullptr;
};

/// Device memory.
template <class T>
struct Array {
    explicit Array(size_t count_) : count(count_) { CHECK_CUDA(cudaMalloc(&data, count * sizeof(T))); }
    ~Array() { cudaFree(data); }
    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;
    std::vector<T> host() const {
        std::vector<T> copy(count);
        CHECK_CUDA(cudaMemcpy(copy.data(), data, count * sizeof(T), cudaMemcpyDeviceToHost));
        return copy;
    }
    size_t count;
    T* data = nullptr;
};

/// Checks that body ends the process, and that what it prints has all of the words.
template <class Body>
void dies(const char* what, const std::vector<std::string>& words, const Body& body) {
    int ends[2];
    if (pipe(ends) != 0) return check::fail(__FILE__, __LINE__, "no pipe");
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        body();
        _exit(0);
    }
    close(ends[1]);
    std::string said;
    char buffer[4096];
    for (ssize_t got = 0; (got = read(ends[0], buffer, sizeof buffer)) > 0;)
        said.append(buffer, static_cast<size_t>(got));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        check::fail(__FILE__, __LINE__, std::string(what) + " goes through");
    for (const std::string& word : words) {
        if (said.find(word) == std::string::npos)
            check::fail(__FILE__, __LINE__, std::string(what) + " does not say \"" + word + "\" but: " + said);
    }
}

// ---------------------------------------------------------------------------------------------------------------------

__global__ void count_visits(int* visits) {
    const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    ++visits[block * blockDim.x * blockDim.y * blockDim.z + thread];
}

void every_thread_runs_once() {
    for (const char* order : kOrders) {
        const Environment environment("VELU_EMULATOR_ORDER", order);
        for (const dim3 grid : {dim3(1), dim3(7), dim3(3, 2, 4), dim3(1000)}) {
            for (const dim3 block : {dim3(1), dim3(33), dim3(4, 5, 6), dim3(1024)}) {
                std::vector<int> visits(grid.x * grid.y * grid.z * block.x * block.y * block.z);
                CHECK_CUDA(launch(nullptr, count_visits, grid, block, visits.data()));
                for (const int count : visits) CHECK_EQUAL(count, 1);
            }
        }
    }
}

__global__ void shuffle_all(int width, int operand, long long* out) {
    const long long lane = threadIdx.x;
    out[lane] = __shfl_sync(kAll, lane * 3, operand, width);
    out[32 + lane] = __shfl_up_sync(kAll, static_cast<int>(lane), static_cast<unsigned>(operand), width);
    out[64 + lane] = static_cast<long long>(
        __shfl_down_sync(kAll, static_cast<double>(lane), static_cast<unsigned>(operand), width));
    out[96 + lane] = static_cast<long long>(__shfl_xor_sync(kAll, static_cast<float>(lane), operand, width));
}

void shuffles_follow_the_definition() {
    for (const char* order : kOrders) {
        const Environment environment("VELU_EMULATOR_ORDER", order);
        for (const int width : {1, 2, 8, 32}) {
            for (const int operand : {0, 1, 5, 16, 31}) {
                std::vector<long long> out(128);
                CHECK_CUDA(launch(nullptr, shuffle_all, 1, 32, width, operand, out.data()));
                for (int lane = 0; lane < 32; ++lane) {
                    const int first = lane / width * width, last = first + width - 1;
                    const auto at = static_cast<size_t>(lane);
                    CHECK_EQUAL(out[at], (first + operand % width) * 3);
                    CHECK_EQUAL(out[32 + at], lane - operand < first ? lane : lane - operand);
                    CHECK_EQUAL(out[64 + at], lane + operand > last ? lane : lane + operand);
                    CHECK_EQUAL(out[96 + at], (lane ^ operand) > last ? lane : lane ^ operand);
                }
            }
        }
    }
}

__global__ void vote(unsigned* out) {
    const unsigned lane = threadIdx.x;
    out[lane] = __ballot_sync(kAll, lane % 3 == 0);
    out[32 + lane] = static_cast<unsigned>(__any_sync(kAll, lane == 7) + 2 * __any_sync(kAll, 0));
    out[64 + lane] = static_cast<unsigned>(__all_sync(kAll, 1) + 2 * __all_sync(kAll, lane != 7));
    out[96 + lane] = __reduce_add_sync(kAll, lane) + __reduce_max_sync(kAll, lane);
    // The halves of the warp go different ways.
    if (lane < 16) {
        out[128 + lane] = __ballot_sync(0x0000FFFFu, 1);
    } else {
        out[128 + lane] = __shfl_sync(0xFFFF0000u, lane, 20);
    }
}

void votes_and_partial_masks() {
    for (const char* order : kOrders) {
        const Environment environment("VELU_EMULATOR_ORDER", order);
        std::vector<unsigned> out(160);
        CHECK_CUDA(launch(nullptr, vote, 1, 32, out.data()));
        for (size_t lane = 0; lane < 32; ++lane) {
            CHECK_EQUAL(out[lane], 0x49249249u);
            CHECK_EQUAL(out[32 + lane], 1u);
            CHECK_EQUAL(out[64 + lane], 1u);
            CHECK_EQUAL(out[96 + lane], 31u * 16 + 31);
            CHECK_EQUAL(out[128 + lane], lane < 16 ? 0xFFFFu : 20u);
        }
    }
}

template <bool kBarrier>
__global__ void reverse(const int* in, int* out) {
    __shared__ int shared[1024];
    shared[threadIdx.x] = in[blockIdx.x * blockDim.x + threadIdx.x];
    if constexpr (kBarrier) __syncthreads();
    out[blockIdx.x * blockDim.x + threadIdx.x] = shared[blockDim.x - 1 - threadIdx.x];
    if constexpr (kBarrier) __syncthreads();
}

template <bool kBarrier>
std::vector<int> reversed(const char* order) {
    const Environment environment("VELU_EMULATOR_ORDER", order);
    std::vector<int> in(3 * 1000), out(in.size());
    for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<int>(i);
    CHECK_CUDA(launch(nullptr, reverse<kBarrier>, 3, 1000, in.data(), out.data()));
    return out;
}

void barriers_separate() {
    for (const char* order : kOrders) {
        const std::vector<int> out = reversed<true>(order);
        for (int i = 0; i < 3000; ++i) CHECK_EQUAL(out[static_cast<size_t>(i)], i / 1000 * 1000 + 999 - i % 1000);
    }
    CHECK(reversed<false>("forward") != reversed<false>("reverse"));
    CHECK(reversed<false>("forward") != reversed<false>("shuffled"));
}

__global__ void count_predicates(int* out) {
    const int thread = static_cast<int>(threadIdx.x);
    const int count = __syncthreads_count(thread % 5 == 0);
    out[thread] = count * 4 + 2 * (__syncthreads_or(thread == 3) != 0) + (__syncthreads_and(thread != 3) != 0);
}

void barriers_count() {
    std::vector<int> out(100);
    CHECK_CUDA(launch(nullptr, count_predicates, 1, 100, out.data()));
    for (const int value : out) CHECK_EQUAL(value, 20 * 4 + 2);
}

__global__ void last_block_sums(const int* in, int* partial, unsigned* arrived, int* out) {
    __shared__ int sums[32];
    __shared__ bool last;
    int sum = in[blockIdx.x * blockDim.x + threadIdx.x];
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(kAll, sum, offset);
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        int all = 0;
        for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) all += sums[warp];
        partial[blockIdx.x] = all;
        __threadfence();
        last = atomicAdd(arrived, 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (!last || threadIdx.x != 0) return;
    for (unsigned block = 0; block < gridDim.x; ++block) *out += partial[block];
}

void atomics_find_the_last_block() {
    for (const char* order : kOrders) {
        const Environment environment("VELU_EMULATOR_ORDER", order);
        std::vector<int> in(50 * 128, 3), partial(50);
        unsigned arrived = 0;
        int out = 0;
        CHECK_CUDA(launch(nullptr, last_block_sums, 50, 128, in.data(), partial.data(), &arrived, &out));
        CHECK_EQUAL(out, 50 * 128 * 3);
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// What ends the process

__global__ void split_warp(int* out) {
    if (threadIdx.x < 8) {
        *out = __shfl_xor_sync(kAll, 1, 1);
    } else {
        __syncthreads();
    }
}
__global__ void leave_early(int* out) {
    if (threadIdx.x == 5) return;
    *out = __shfl_down_sync(kAll, 1, 1);
}
__global__ void leave_before_barrier(int* out) {
    if (threadIdx.x == 40) return;
    __syncthreads();
    *out = 1;
}
__global__ void whole_mask(int* out) {
    *out = static_cast<int>(__ballot_sync(kAll, 1));
}
__global__ void foreign_lane(int* out) {
    if (threadIdx.x < 4) *out = __shfl_sync(0xFu, 1, 9);
}
__global__ void other_mask(int* out) {
    *out = static_cast<int>(threadIdx.x < 16 ? __ballot_sync(kAll, 1) : __ballot_sync(0xFFFFFFFEu, 1));
}

void divergence_ends_the_process() {
    for (const char* order : kOrders) {
        const Environment environment("VELU_EMULATOR_ORDER", order);
        int out = 0;
        dies(
            "a warp split over a shuffle and a barrier",
            {"no thread of a block can go on", "split_warp", "grid (2, 1, 1)", "of 64 threads",
             "thread 0-7 waits in __shfl_xor_sync at ", "thread 8-63 waits in __syncthreads at ", "emulator_test.cpp:"},
            [&] { launch(nullptr, split_warp, 2, 64, &out); });
        dies("a lane that returns before a shuffle", {"leave_early", "__shfl_down_sync"},
             [&] { launch(nullptr, leave_early, 1, 32, &out); });
        dies("a thread that returns before a barrier", {"leave_before_barrier", "returned"},
             [&] { launch(nullptr, leave_before_barrier, 1, 64, &out); });
        dies("a mask with lanes that the block lacks", {"whole_mask", "names lanes that the block does not have"},
             [&] { launch(nullptr, whole_mask, 1, 16, &out); });
        dies("a shuffle from outside its mask", {"foreign_lane", "from lane 9, which is not in the mask"},
             [&] { launch(nullptr, foreign_lane, 1, 32, &out); });
        dies("lanes with different masks", {"other_mask"}, [&] { launch(nullptr, other_mask, 1, 32, &out); });
    }
    dies("a barrier outside a kernel", {"__syncthreads is called outside a kernel"}, [] { __syncthreads(); });
    dies("an unknown order", {"VELU_EMULATOR_ORDER is \"backward\""}, [] {
        const Environment environment("VELU_EMULATOR_ORDER", "backward");
        int out = 0;
        launch(nullptr, whole_mask, 1, 32, &out);
    });
}

__global__ void write_at(float* memory, int64_t index) {
    memory[index] = 1;
}

void wrong_accesses_end_the_process() {
    const Array<float> array(100);
    dies("reading device memory on the host", {}, [&] {
        volatile float* pointer = array.data;
        std::printf("%g\n", static_cast<double>(*pointer));
    });
    for (const int64_t index : {int64_t{-1}, int64_t{100}, int64_t{-60}, int64_t{160}}) {
        dies("writing beside device memory",
             {kAddressSanitizer ? "AddressSanitizer" : "something wrote outside 400 bytes"}, [&] {
                 launch(nullptr, write_at, 1, 1, array.data, index);
                 cudaDeviceSynchronize();
             });
    }
    CHECK_CUDA(launch(nullptr, write_at, 1, 1, array.data, 99));
    CHECK_CUDA(cudaDeviceSynchronize());
    if (kAddressSanitizer) {
        dies("writing to memory that was freed", {"AddressSanitizer"}, [] {
            float* memory = nullptr;
            cudaMalloc(&memory, 400);
            cudaFree(memory);
            launch(nullptr, write_at, 1, 1, memory, 0);
        });
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// The runtime

void memory_is_limited() {
    const Environment environment("VELU_EMULATOR_MEMORY", "1048576");
    size_t before = 0, after = 0, total = 0;
    CHECK_CUDA(cudaMemGetInfo(&before, &total));
    CHECK_EQUAL(total, size_t{1048576});
    CHECK_EQUAL(before, total);
    void *large = nullptr, *too_large = &large;
    CHECK_CUDA(cudaMalloc(&large, 1000000));
    CHECK_EQUAL(reinterpret_cast<uintptr_t>(large) % 256, 0u);
    CHECK_CUDA(cudaMemGetInfo(&after, &total));
    CHECK_EQUAL(before - after, (size_t{1000000} + 511) / 512 * 512);
    CHECK_ERROR(cudaMalloc(&too_large, 100000), cudaErrorMemoryAllocation);
    CHECK(too_large == nullptr);
    CHECK_ERROR(cudaGetLastError(), cudaErrorMemoryAllocation);
    CHECK_ERROR(cudaGetLastError(), cudaSuccess);
    CHECK_ERROR(cudaMalloc(&too_large, ~size_t{0}), cudaErrorMemoryAllocation);
    CHECK_CUDA(cudaFree(large));
    CHECK_ERROR(cudaFree(large), cudaErrorInvalidValue);
    CHECK_CUDA(cudaFree(nullptr));
    CHECK_CUDA(cudaMalloc(&large, 1048576));
    CHECK_CUDA(cudaFree(large));
    cudaGetLastError();
}

void fresh_memory_is_nan() {
    const Array<float> array(1000);
    for (const float value : array.host()) CHECK(std::isnan(value));
}

void devices_are_counted() {
    int count = -1;
    CHECK_CUDA(cudaGetDeviceCount(&count));
    CHECK_EQUAL(count, 1);
    cudaDeviceProp properties{};
    CHECK_CUDA(cudaGetDeviceProperties(&properties, 0));
    CHECK_EQUAL(std::string(properties.name), "Host emulation");
    CHECK_EQUAL(properties.multiProcessorCount, 2);
    CHECK_EQUAL(properties.major * 10 + properties.minor, 90);
    CHECK_ERROR(cudaSetDevice(1), cudaErrorInvalidDevice);
    {
        const Environment environment("VELU_EMULATOR_DEVICES", "0");
        CHECK_ERROR(cudaGetDeviceCount(&count), cudaErrorNoDevice);
        CHECK_EQUAL(count, 0);
    }
    const Environment environment("VELU_EMULATOR_DEVICES", "2");
    CHECK_CUDA(cudaSetDevice(1));
    size_t free_there = 0, total = 0;
    const Array<char> array(1 << 20);
    CHECK_CUDA(cudaMemGetInfo(&free_there, &total));
    CHECK_EQUAL(free_there + (1 << 20), total);
    CHECK_CUDA(cudaSetDevice(0));
    CHECK_CUDA(cudaMemGetInfo(&free_there, &total));
    CHECK_EQUAL(free_there, total);
    cudaGetLastError();
}

void copies_check_their_sides() {
    const Array<int> array(4);
    int numbers[4] = {1, 2, 3, 4};
    CHECK_CUDA(cudaMemcpy(array.data, numbers, 16, cudaMemcpyHostToDevice));
    CHECK(array.host() == (std::vector<int>{1, 2, 3, 4}));
    CHECK_CUDA(cudaMemset(array.data, 0, 8));
    CHECK(array.host() == (std::vector<int>{0, 0, 3, 4}));
    CHECK_ERROR(cudaMemcpy(array.data, numbers, 20, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    CHECK_ERROR(cudaMemcpy(numbers, array.data, 16, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    CHECK_ERROR(cudaMemset(array.data + 2, 0, 12), cudaErrorInvalidValue);
    cudaPointerAttributes attributes{};
    CHECK_CUDA(cudaPointerGetAttributes(&attributes, array.data + 1));
    CHECK(attributes.type == cudaMemoryTypeDevice);
    CHECK_CUDA(cudaPointerGetAttributes(&attributes, numbers));
    CHECK(attributes.type == cudaMemoryTypeUnregistered);
    cudaGetLastError();
}

void launches_check_their_configuration() {
    int out = 0;
    CHECK_ERROR(launch(nullptr, whole_mask, 0, 32, &out), cudaErrorInvalidConfiguration);
    CHECK_ERROR(launch(nullptr, whole_mask, 1, 1025, &out), cudaErrorInvalidConfiguration);
    CHECK_ERROR(launch(nullptr, whole_mask, dim3(1, 65536), 32, &out), cudaErrorInvalidConfiguration);
    const cudaStream_t gone = [] { return Stream().stream; }();
    CHECK_ERROR(launch(gone, whole_mask, 1, 32, &out), cudaErrorInvalidResourceHandle);
    cudaGetLastError();
}

__global__ void add(int* to, const int* what) {
    *to += *what;
}
__global__ void set(int* to, int what) {
    *to = what;
}

void graphs_replay() {
    for (const bool deferred : {false, true}) {
        const Stream stream(deferred);
        int sum = 0, step = 5;
        int* host = nullptr;
        CHECK_CUDA(cudaHostAlloc(&host, sizeof(int), cudaHostAllocDefault));
        *host = 0;
        const Array<int> copy(1);
        CHECK_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
        CHECK_CUDA(launch(stream, add, 1, 1, &sum, &step));
        CHECK_CUDA(cudaMemsetAsync(copy.data, 0, sizeof(int), stream));
        CHECK_CUDA(launch(stream, add, 1, 1, copy.data, &sum));
        CHECK_CUDA(cudaMemcpyAsync(host, copy.data, sizeof(int), cudaMemcpyDeviceToHost, stream));
        cudaGraph_t graph = nullptr;
        CHECK_CUDA(cudaStreamEndCapture(stream, &graph));
        CHECK_EQUAL(sum, 0);
        cudaGraphExec_t executable = nullptr;
        CHECK_CUDA(cudaGraphInstantiate(&executable, graph));
        CHECK_CUDA(cudaGraphDestroy(graph));
        for (int run = 1; run <= 3; ++run) {
            CHECK_CUDA(cudaGraphLaunch(executable, stream));
            CHECK_CUDA(cudaStreamSynchronize(stream));
            CHECK_EQUAL(sum, 5 * run);
            CHECK_EQUAL(*host, 5 * run);
        }
        CHECK_CUDA(cudaGraphExecDestroy(executable));
        CHECK_ERROR(cudaGraphLaunch(executable, stream), cudaErrorInvalidValue);
        CHECK_CUDA(cudaFreeHost(host));
    }
    cudaGetLastError();
}

void captures_forbid_what_waits() {
    const Stream stream;
    const Array<int> array(1);
    int number = 0;
    const auto spoiled = [&](auto call, const char* error) {
        CHECK_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
        CHECK_EQUAL(std::string(cudaGetErrorName(call())), error);
        CHECK_ERROR(launch(stream, set, 1, 1, &number, 1), cudaErrorStreamCaptureInvalidated);
        cudaGraph_t graph = nullptr;
        CHECK_ERROR(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
        CHECK(graph == nullptr);
        CHECK_CUDA(launch(stream, set, 1, 1, &number, 2));
        CHECK_EQUAL(number, 2);
        number = 0;
    };
    void* memory = nullptr;
    constexpr const char* kUnsupported = "cudaErrorStreamCaptureUnsupported";
    spoiled([&] { return cudaMalloc(&memory, 4); }, kUnsupported);
    spoiled([&] { return cudaFree(array.data); }, kUnsupported);
    spoiled([&] { return cudaHostAlloc(&memory, 4, 0); }, kUnsupported);
    spoiled([&] { return cudaStreamSynchronize(stream); }, kUnsupported);
    spoiled([&] { return cudaDeviceSynchronize(); }, kUnsupported);
    spoiled([&] { return cudaMemcpy(array.data, &number, 4, cudaMemcpyHostToDevice); }, kUnsupported);
    spoiled([&] { return cudaMemcpyAsync(array.data, &number, 4, cudaMemcpyHostToDevice, stream); }, kUnsupported);
    // Another thread may allocate meanwhile: the capture is this thread's.
    CHECK_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    std::thread other([] {
        const Array<int> allowed(1);
        CHECK(allowed.data != nullptr);
    });
    other.join();
    cudaGraph_t graph = nullptr;
    CHECK_CUDA(cudaStreamEndCapture(stream, &graph));
    CHECK_CUDA(cudaGraphDestroy(graph));
    CHECK_ERROR(cudaStreamEndCapture(stream, &graph), cudaErrorInvalidValue);
    cudaGetLastError();
}

void captures_follow_events() {
    const Stream stream, side;
    int a = 0, b = 1;
    cudaEvent_t fork = nullptr, join = nullptr;
    CHECK_CUDA(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
    CHECK_CUDA(cudaEventCreateWithFlags(&join, cudaEventDisableTiming));
    for (const bool joined : {true, false}) {
        CHECK_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
        CHECK_CUDA(launch(stream, set, 1, 1, &a, 10));
        CHECK_CUDA(cudaEventRecord(fork, stream));
        CHECK_CUDA(cudaStreamWaitEvent(side, fork));
        CHECK_CUDA(launch(side, add, 1, 1, &b, &a));
        CHECK_CUDA(cudaEventRecord(join, side));
        if (joined) CHECK_CUDA(cudaStreamWaitEvent(stream, join));
        cudaGraph_t graph = nullptr;
        if (!joined) {
            CHECK_ERROR(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureUnjoined);
            continue;
        }
        CHECK_CUDA(cudaStreamEndCapture(stream, &graph));
        CHECK_EQUAL(b, 1);
        cudaGraphExec_t executable = nullptr;
        CHECK_CUDA(cudaGraphInstantiate(&executable, graph));
        CHECK_CUDA(cudaGraphLaunch(executable, stream));
        CHECK_EQUAL(b, 11);
        CHECK_CUDA(cudaGraphExecDestroy(executable));
        CHECK_CUDA(cudaGraphDestroy(graph));
    }
    CHECK_CUDA(launch(side, set, 1, 1, &b, 3));
    CHECK_EQUAL(b, 3);
    CHECK_CUDA(cudaEventDestroy(fork));
    CHECK_CUDA(cudaEventDestroy(join));
    cudaGetLastError();
}

void deferred_streams_show_missing_waits() {
    const Stream compute(true), transfer(true);
    cudaEvent_t copied = nullptr;
    CHECK_CUDA(cudaEventCreateWithFlags(&copied, cudaEventDisableTiming));
    for (const bool waits : {false, true}) {
        int from = 7, staged = 1, out = 0;
        CHECK_CUDA(cudaMemcpyAsync(&staged, &from, sizeof from, cudaMemcpyHostToDevice, transfer));
        CHECK_CUDA(cudaEventRecord(copied, transfer));
        if (waits) CHECK_CUDA(cudaStreamWaitEvent(compute, copied));
        CHECK_CUDA(launch(compute, add, 1, 1, &out, &staged));
        CHECK_EQUAL(out, 0);
        CHECK_CUDA(cudaStreamSynchronize(compute));
        CHECK_EQUAL(out, waits ? 7 : 1);
        CHECK_EQUAL(staged, waits ? 7 : 1);
        CHECK_CUDA(cudaStreamSynchronize(transfer));
        CHECK_CUDA(cudaStreamQuery(transfer));
        CHECK_EQUAL(staged, 7);
    }
    int out = 0;
    CHECK_CUDA(launch(compute, set, 1, 1, &out, 1));
    CHECK_ERROR(cudaStreamQuery(compute), cudaErrorNotReady);
    CHECK_CUDA(cudaStreamQuery(compute));  // polling lets time pass
    CHECK_EQUAL(out, 1);
    CHECK_CUDA(cudaEventDestroy(copied));
}

void events_measure() {
    for (const bool deferred : {false, true}) {
        const Stream stream(deferred);
        cudaEvent_t start = nullptr, end = nullptr;
        CHECK_CUDA(cudaEventCreate(&start));
        CHECK_CUDA(cudaEventCreate(&end));
        float milliseconds = -1;
        CHECK_ERROR(cudaEventElapsedTime(&milliseconds, start, end), cudaErrorInvalidResourceHandle);
        CHECK_CUDA(cudaEventSynchronize(end));
        std::vector<int> visits(1000 * 256);
        CHECK_CUDA(cudaEventRecord(start, stream));
        CHECK_CUDA(launch(stream, count_visits, 1000, 256, visits.data()));
        CHECK_CUDA(cudaEventRecord(end, stream));
        if (deferred) {
            CHECK_ERROR(cudaEventElapsedTime(&milliseconds, start, end), cudaErrorNotReady);
            CHECK_EQUAL(visits[0], 0);
        }
        CHECK_CUDA(cudaEventSynchronize(end));
        CHECK_EQUAL(visits[0], 1);
        CHECK_CUDA(cudaEventElapsedTime(&milliseconds, start, end));
        CHECK(milliseconds > 0 && milliseconds < 60000);
        CHECK_CUDA(cudaEventDestroy(start));
        CHECK_CUDA(cudaEventDestroy(end));
    }
    cudaGetLastError();
}

void host_work_is_enqueued() {
    struct Arguments {
        int* to;
        int value;
    };
    const auto work = [](const void* data) {
        const auto& arguments = *static_cast<const Arguments*>(data);
        *arguments.to += arguments.value;
    };
    const Stream stream(true);
    const Array<int> array(1);
    CHECK_CUDA(cudaMemsetAsync(array.data, 0, sizeof(int), stream));
    const Arguments arguments{array.data, 4};
    CHECK_EQUAL(velu_emulator_enqueue(stream, work, &arguments, sizeof arguments), 0);
    CHECK_CUDA(cudaStreamSynchronize(stream));
    CHECK_EQUAL(array.host()[0], 4);
}

void threads_share_the_device() {
    std::vector<std::vector<int>> visits(4, std::vector<int>(20 * 64));
    std::vector<std::thread> threads;
    for (auto& own : visits) {
        threads.emplace_back([&own] {
            const Stream stream;
            for (int i = 0; i < 50; ++i) launch(stream, count_visits, 20, 64, own.data());
        });
    }
    for (std::thread& thread : threads) thread.join();
    for (const auto& own : visits) CHECK(own == std::vector<int>(20 * 64, 50));
}

}  // namespace

int main() {
    test("everyThreadRunsOnceInEveryOrder", every_thread_runs_once);
    test("shufflesFollowTheDefinition", shuffles_follow_the_definition);
    test("votesReductionsAndPartialMasksFollowTheDefinition", votes_and_partial_masks);
    test("barriersSeparateAndAMissingOneShowsInAnotherOrder", barriers_separate);
    test("barriersCountTheirPredicates", barriers_count);
    test("atomicsFindTheLastBlock", atomics_find_the_last_block);
    test("divergenceEndsTheProcessWithAMessage", divergence_ends_the_process);
    test("wrongAccessesToDeviceMemoryEndTheProcess", wrong_accesses_end_the_process);
    test("memoryIsLimitedAndFreed", memory_is_limited);
    test("freshMemoryIsNan", fresh_memory_is_nan);
    test("devicesAreCountedAndDescribed", devices_are_counted);
    test("copiesCheckTheirSides", copies_check_their_sides);
    test("launchesCheckTheirConfiguration", launches_check_their_configuration);
    test("graphsReplayWhatWasCaptured", graphs_replay);
    test("capturesForbidWhatWaitsOrAllocates", captures_forbid_what_waits);
    test("capturesFollowEventsToOtherStreams", captures_follow_events);
    test("deferredStreamsShowMissingWaits", deferred_streams_show_missing_waits);
    test("eventsAreReachedInOrderAndMeasureTime", events_measure);
    test("workOfTestDoublesRunsOnItsStream", host_work_is_enqueued);
    test("threadsShareTheDevice", threads_share_the_device);
    return check::report();
}
