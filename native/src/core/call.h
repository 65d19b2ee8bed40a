// One call of the ABI: holds the context for its duration, checks the arguments and hands over to the backend.
//
//     velu_status velu_add_forward(...) {
//         Call call(context, "velu_add_forward");
//         if (!call.begin(desc)) return call.status();
//         const int64_t bytes = call.bytes("count", {desc->count}, 4);
//         if (call.failed() || desc->count == 0) return call.status();
//         call.buffers({input("a", a, bytes), ...});
//         return call.run(&BackendTable::add_forward, desc, a, b, y);
//     }
//
// The first failed check wins: it stores status and message, and later checks do nothing.
#pragma once

#include "core/backend_registry.h"

#include <atomic>
#include <cmath>
#include <initializer_list>

/// velu.h's opaque context. `busy` is taken by one call at a time; everything else belongs to the call that holds it.
struct velu_context {
    std::atomic<bool> busy{false};
    int32_t device = VELU_DEVICE_CPU;
    const velu::BackendTable* table = nullptr;
    velu::DeviceContext* backend = nullptr;
};

namespace velu {

/// Largest tensor: what a process can address on x86-64 and aarch64. Keeps every later byte count far from overflow.
inline constexpr int64_t kMaxBytes = int64_t{1} << 47;

/// One pointer argument: how many bytes the call may touch through it, and how.
struct Buffer {
    const char* name;
    const void* data;
    int64_t bytes;
    int64_t alignment;
    bool written = false;
    bool optional = false;
    const char* may_be[2] = {nullptr, nullptr};  // names of inputs that a written buffer may coincide with exactly
};

inline Buffer input(const char* name, const void* data, int64_t bytes, int64_t alignment) {
    return {name, data, bytes, alignment};
}
inline Buffer output(const char* name, const void* data, int64_t bytes, int64_t alignment) {
    return {name, data, bytes, alignment, true};
}
/// An output that may be one of the inputs of the given names, element for element.
inline Buffer in_place(const char* name, const void* data, int64_t bytes, int64_t alignment, const char* first,
                       const char* second = nullptr) {
    return {name, data, bytes, alignment, true, false, {first, second}};
}
/// The same argument, but NULL is allowed.
inline Buffer optional(Buffer buffer) {
    buffer.optional = true;
    return buffer;
}

class Call {
public:
    /// Takes the context; afterwards failed() if it is NULL or busy. A busy context's message belongs to the call that
    /// holds it: velu_context_last_error() stays as it was, and callers explain BUSY with velu_status_name().
    Call(velu_context* context, const char* function);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    velu_status status() const { return status_; }
    bool failed() const { return status_ != VELU_STATUS_SUCCESS; }

    /// Records the first failure, with the function's name before the message.
    __attribute__((format(printf, 3, 4))) void fail(velu_status status, const char* format, ...);

    /// Checks that a descriptor is there, is for this context's device and has a dtype that this context computes in.
    /// False if the call has failed: the descriptor must then not be read.
    template <class Desc>
    bool begin(const Desc* desc) {
        if (!failed() && desc == nullptr) {
            fail(VELU_STATUS_INVALID_ARGUMENT, "desc is NULL; pass a descriptor");
        }
        if (!failed()) check_header(desc->device, desc->dtype);
        return !failed();
    }

    /// As begin(), for operations that move elements and compute nothing: every backend has them for every dtype.
    template <class Desc>
    bool begin_conversion(const Desc* desc) {
        if (!failed() && desc == nullptr) {
            fail(VELU_STATUS_INVALID_ARGUMENT, "desc is NULL; pass a descriptor");
        }
        if (!failed()) check_device(desc->device);
        if (!failed()) dtype("the descriptor's dtype", desc->dtype);
        return !failed();
    }

    /// Checks that value is a VELU_DTYPE_*.
    void dtype(const char* name, int32_t value);

    /// Checks low <= value <= high.
    void range(const char* name, int64_t value, int64_t low, int64_t high);
    void at_least(const char* name, int64_t value, int64_t low) { range(name, value, low, INT64_MAX); }
    void finite(const char* name, float value);
    /// Checks that value is finite and > 0 (>= 0).
    void positive(const char* name, float value);
    void not_negative(const char* name, float value);
    /// Checks low <= value < high.
    void half_open(const char* name, float value, float low, float high);

    /// Product of sizes >= 0 and the size of an element, or 0 after a failure: product above kMaxBytes.
    int64_t bytes(const char* name, std::initializer_list<int64_t> sizes, int64_t element);

    /// Bytes from the first to behind the last element of rows >= 0 rows that start pitch elements apart.
    int64_t pitched_bytes(const char* name, int64_t rows, int64_t channels, int64_t pitch, int64_t element);

    /// Checks NULL, alignment, and that what is written overlaps nothing it may not.
    void buffers(std::initializer_list<Buffer> buffers);

    /// Calls a backend's entry if no check has failed; the status of the whole call.
    template <class Entry, class... Arguments>
    velu_status run(Entry BackendTable::*entry, Arguments... arguments) {
        if (failed()) return status_;
        if (context_->table->*entry == nullptr) {
            fail(VELU_STATUS_UNSUPPORTED, "the %s backend has no implementation of it", device_name(context_->device));
            return status_;
        }
        return finish((context_->table->*entry)(context_->backend, arguments...));
    }

private:
    void check_device(int32_t device);
    void check_header(int32_t device, int32_t dtype);
    velu_status finish(velu_status status);

    velu_context* context_;
    const char* function_;
    bool held_ = false;
    velu_status status_ = VELU_STATUS_SUCCESS;
};

/// Bytes of one element of a dtype that check_header() has accepted.
inline int64_t dtype_size(int32_t dtype) {
    return dtype == VELU_DTYPE_BF16 ? 2 : 4;
}

inline constexpr int64_t kFloat = sizeof(float);

// Checks that several entry points share. Each reads its descriptor only while the call has not failed.
/// Checks that two pointers are both given or both NULL.
void check_both_or_neither(Call& call, const char* first_name, const void* first, const char* second_name,
                           const void* second);
/// Checks the activation that ends a convolution or linear layer.
void check_fused_activation(Call& call, int32_t activation);
/// Checks a pitch and gives its meaning: 0 stands for channels.
int64_t check_pitch(Call& call, const char* name, int64_t pitch, int64_t channels);
void check_velu_params(Call& call, const velu_velu_params& params);
void check_conv2d(Call& call, const velu_conv2d_desc& desc);
void check_linear(Call& call, const velu_linear_desc& desc);
void check_scaled_linear(Call& call, const velu_scaled_linear_desc& desc);

}  // namespace velu
