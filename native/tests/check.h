// A small test harness over the public ABI. A test executable is a main() of test(...) calls that ends with
// `return report();`. A failed check prints its values, is counted, and does not stop the test.
#pragma once

#include <velu/velu.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>

#include "device.h"

namespace check {

inline int failures_in_test = 0;
inline int failed_tests = 0;
inline int tests = 0;

/// Counts a failure and prints the first few of each test.
inline void fail(const char* file, int line, const std::string& what) {
    if (++failures_in_test <= 8) std::fprintf(stderr, "    %s:%d: %s\n", file, line, what.c_str());
}

/// Runs one test. The name states the fact that the test shows: test("gradientIsZeroOutsideTheClip", [] { ... }).
template <class Body>
void test(const char* name, const Body& body) {
    failures_in_test = 0;
    body();
    ++tests;
    if (failures_in_test > 0) ++failed_tests;
    std::fprintf(stderr, "%s %s", failures_in_test == 0 ? "ok  " : "FAIL", name);
    std::fprintf(stderr, failures_in_test == 0 ? "\n" : ": %d failed checks\n", failures_in_test);
}

/// Runs a test whose fact is one about the CPU backend, and says why it is left out elsewhere.
template <class Body>
void test_on_cpu(const char* name, const char* why, const Body& body) {
    if (on_cpu()) return test(name, body);
    std::fprintf(stderr, "skip %s: %s\n", name, why);
}

/// Prints the total; the exit status of main().
inline int report() {
    std::fprintf(stderr, "%d tests, %d failed\n", tests, failed_tests);
    return failed_tests == 0 && tests > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

template <class A, class B>
void equal(const char* file, int line, const char* text, const A& actual, const B& expected) {
    if (actual == expected) return;
    std::ostringstream what;
    what << text << " is " << actual << ", not " << expected;
    fail(file, line, what.str());
}

/// NaN is near NaN only, an infinity near itself only.
inline void near(const char* file, int line, const char* text, double actual, double expected, double tolerance) {
    if (actual == expected || (std::isnan(actual) && std::isnan(expected))) return;
    if (std::fabs(actual - expected) <= tolerance) return;
    char what[256];
    std::snprintf(what, sizeof what, "%.60s is %.9g, not %.9g (difference %.3g, tolerance %.3g)", text, actual,
                  expected, std::fabs(actual - expected), tolerance);
    fail(file, line, what);
}

/// Also waits for the work of a call: the test reads its results next.
inline void success(const char* file, int line, const char* text, velu_context* context, velu_status status) {
    if (status == VELU_STATUS_SUCCESS && !on_cpu()) status = velu_context_synchronize(context);
    if (status == VELU_STATUS_SUCCESS) return;
    fail(file, line, std::string(text) + ": " + velu_status_name(status) + ": " + velu_context_last_error(context));
}

/// A context on the device under test, NULL (with a failure) if it cannot be made. Threads and instruction set are the
/// CPU's; for one that the processor lacks see supported().
struct Context {
    explicit Context(int32_t threads = 1, int32_t isa = VELU_ISA_AUTO) {
        const velu_context_desc desc{device(), 0, threads, isa, 0, 0};
        char message[512] = "";
        const velu_status status = velu_context_create(&desc, &context, message, sizeof message);
        if (status != VELU_STATUS_SUCCESS) fail(__FILE__, __LINE__, message);
    }
    ~Context() { velu_context_destroy(context); }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    operator velu_context*() const { return context; }

    /// Elsewhere than on the CPU only the first, so that loops over all run once.
    static bool supported(int32_t isa) {
        if (!on_cpu()) return isa == VELU_ISA_BASELINE;
        velu_device_info info{};
        return velu_device_query(VELU_DEVICE_CPU, 0, &info) == VELU_STATUS_SUCCESS && isa <= info.isa;
    }

    velu_context* context = nullptr;
};

/// Why the device under test does not compute in bfloat16, or "".
inline std::string bfloat16_refusal() {
    const Context context;
    const velu_add_desc nothing{device(), VELU_DTYPE_BF16, 0};
    velu_add_forward(context, &nothing, nullptr, nullptr, nullptr);
    return velu_context_last_error(context);
}

/// Runs a test that computes in bfloat16, or says why it cannot.
template <class Body>
void test_in_bfloat16(const char* name, const Body& body) {
    const std::string why = bfloat16_refusal();
    if (why.empty()) return test(name, body);
    std::fprintf(stderr, "skip %s: %s\n", name, why.c_str());
}

/// The end of loops over thread counts 1, 2, ...: elsewhere than on the CPU they mean nothing.
inline int32_t most_threads() {
    return on_cpu() ? 3 : 1;
}

/// A test of body(context) for each instruction set; on CUDA one test.
template <class Body>
void on_every_isa(const char* name, const Body& body) {
    for (const int32_t isa : {VELU_ISA_BASELINE, VELU_ISA_AVX2, VELU_ISA_AVX512}) {
        const char* isa_name = isa == VELU_ISA_BASELINE ? "baseline" : isa == VELU_ISA_AVX2 ? "avx2" : "avx512";
        if (!Context::supported(isa)) {
            if (on_cpu()) std::fprintf(stderr, "skip %s (%s): this processor lacks it\n", name, isa_name);
            continue;
        }
        test((std::string(name) + " (" + (on_cpu() ? isa_name : "cuda") + ")").c_str(), [&] {
            Context context(1, isa);
            body(context);
        });
    }
}

/// count elements, aligned to 64 bytes, filled with bytes 0xA5, between canaries that the destructor verifies.
template <class T>
struct Guarded {
    explicit Guarded(int64_t count, size_t misalign = 0) : size(count), bytes(static_cast<size_t>(count) * sizeof(T)) {
        const size_t total = (kGuard + misalign + bytes + kGuard + 63) / 64 * 64;
        memory = static_cast<unsigned char*>(std::aligned_alloc(64, total));
        std::memset(memory, 0xA5, total);
        data = reinterpret_cast<T*>(memory + kGuard + misalign);
    }
    ~Guarded() {
        const auto* first = reinterpret_cast<const unsigned char*>(data);
        for (const unsigned char* p = first - kGuard; p < first; ++p) intact &= *p == 0xA5;
        for (const unsigned char* p = first + bytes; p < first + bytes + kGuard; ++p) intact &= *p == 0xA5;
        if (!intact) fail(__FILE__, __LINE__, "wrote outside a buffer of " + std::to_string(size) + " elements");
        std::free(memory);
    }
    Guarded(const Guarded&) = delete;
    Guarded& operator=(const Guarded&) = delete;
    T& operator[](int64_t i) { return data[i]; }
    const T& operator[](int64_t i) const { return data[i]; }
    operator T*() { return data; }
    operator const T*() const { return data; }

    /// Fills with numbers in [low, high) that depend on the seed only.
    Guarded& fill_uniform(uint64_t seed, double low = -1, double high = 1) {
        for (int64_t i = 0; i < size; ++i) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            data[i] = static_cast<T>(low + (high - low) * static_cast<double>(seed >> 40) / 16777216.0);
        }
        return *this;
    }

    static constexpr size_t kGuard = 256;
    T* data = nullptr;
    int64_t size;
    size_t bytes;

private:
    unsigned char* memory = nullptr;
    bool intact = true;
};

}  // namespace check

#define CHECK(condition) ((condition) ? (void)0 : check::fail(__FILE__, __LINE__, "false: " #condition))
#define CHECK_EQUAL(actual, expected) check::equal(__FILE__, __LINE__, #actual, actual, expected)
#define CHECK_NEAR(actual, expected, tolerance) check::near(__FILE__, __LINE__, #actual, actual, expected, tolerance)
#define CHECK_SUCCESS(context, call) check::success(__FILE__, __LINE__, #call, context, call)
