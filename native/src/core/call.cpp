#include "core/call.h"

#include <algorithm>
#include <cinttypes>
#include <cstring>

namespace velu {
namespace {

bool may_be(const Buffer& written, const char* name) {
    for (const char* allowed : written.may_be) {
        if (allowed != nullptr && std::strcmp(allowed, name) == 0) return true;
    }
    return false;
}

}  // namespace

Call::Call(velu_context* context, const char* function) : context_(context), function_(function) {
    if (context == nullptr) {
        status_ = VELU_STATUS_INVALID_ARGUMENT;
    } else if (context->busy.exchange(true, std::memory_order_acquire)) {
        status_ = VELU_STATUS_BUSY;  // the message belongs to the call that holds the context
    } else {
        held_ = true;
    }
}

Call::~Call() {
    if (held_) context_->busy.store(false, std::memory_order_release);
}

void Call::fail(velu_status status, const char* format, ...) {
    if (failed()) return;
    status_ = status;
    char* message = context_->backend->message;
    const size_t capacity = sizeof context_->backend->message;
    const int prefix = std::snprintf(message, capacity, "%s: ", function_);
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(message + prefix, capacity - static_cast<size_t>(prefix), format, arguments);
    va_end(arguments);
}

velu_status Call::finish(velu_status status) {
    status_ = status;
    if (status == VELU_STATUS_SUCCESS) return status;
    // The backend's message says what was wrong; put the function's name before it.
    char* message = context_->backend->message;
    const size_t capacity = sizeof context_->backend->message;
    const size_t name = std::strlen(function_);
    const size_t prefix = name + 2;
    const size_t length = std::min(std::strlen(message), capacity - prefix - 1);
    std::memmove(message + prefix, message, length);
    message[prefix + length] = '\0';
    std::memcpy(message, function_, name);
    std::memcpy(message + name, ": ", 2);
    return status;
}

void Call::check_device(int32_t device) {
    if (device_name(device) == nullptr) {
        fail(VELU_STATUS_INVALID_ARGUMENT, "the descriptor's device is %" PRId32 ", which is not a VELU_DEVICE_*",
             device);
    } else if (device != context_->device) {
        fail(VELU_STATUS_INVALID_ARGUMENT, "the descriptor is for device %s but the context is on %s",
             device_name(device), device_name(context_->device));
    }
}

void Call::dtype(const char* name, int32_t value) {
    if (value != VELU_DTYPE_F32 && value != VELU_DTYPE_BF16) {
        fail(VELU_STATUS_INVALID_ARGUMENT, "%s is %" PRId32 ", which is not a VELU_DTYPE_*", name, value);
    }
}

void Call::check_header(int32_t device, int32_t dtype) {
    check_device(device);
    this->dtype("the descriptor's dtype", dtype);
    if (failed() || dtype != VELU_DTYPE_BF16 || context_->backend->bfloat16_refusal == nullptr) return;
    fail(VELU_STATUS_UNSUPPORTED, "%s", context_->backend->bfloat16_refusal);
}

void Call::range(const char* name, int64_t value, int64_t low, int64_t high) {
    if (value >= low && value <= high) return;
    if (high == INT64_MAX) {
        fail(VELU_STATUS_INVALID_ARGUMENT, "%s is %" PRId64 "; it must be at least %" PRId64, name, value, low);
    } else {
        fail(VELU_STATUS_INVALID_ARGUMENT, "%s is %" PRId64 "; it must be %" PRId64 " to %" PRId64, name, value, low,
             high);
    }
}

void Call::finite(const char* name, float value) {
    if (!std::isfinite(value)) {
        fail(VELU_STATUS_INVALID_ARGUMENT, "%s is %g; it must be finite", name, static_cast<double>(value));
    }
}

void Call::positive(const char* name, float value) {
    if (!(std::isfinite(value) && value > 0)) {
        fail(VELU_STATUS_INVALID_ARGUMENT, "%s is %g; it must be finite and above 0", name, static_cast<double>(value));
    }
}

void Call::not_negative(const char* name, float value) {
    if (!(std::isfinite(value) && value >= 0)) {
        fail(VELU_STATUS_INVALID_ARGUMENT, "%s is %g; it must be finite and at least 0", name,
             static_cast<double>(value));
    }
}

void Call::half_open(const char* name, float value, float low, float high) {
    if (!(value >= low && value < high)) {
        fail(VELU_STATUS_INVALID_ARGUMENT, "%s is %g; it must be at least %g and below %g", name,
             static_cast<double>(value), static_cast<double>(low), static_cast<double>(high));
    }
}

int64_t Call::bytes(const char* name, std::initializer_list<int64_t> sizes, int64_t element) {
    if (failed()) return 0;
    int64_t product = element;
    for (const int64_t size : sizes) {
        if (size == 0) return 0;
    }
    for (const int64_t size : sizes) {
        if (__builtin_mul_overflow(product, size, &product) || product > kMaxBytes) {
            fail(VELU_STATUS_INVALID_ARGUMENT, "%s would take more than 2^47 bytes; make its sizes smaller", name);
            return 0;
        }
    }
    return product;
}

int64_t Call::pitched_bytes(const char* name, int64_t rows, int64_t channels, int64_t pitch, int64_t element) {
    if (rows == 0) return bytes(name, {0}, element);
    const int64_t whole = bytes(name, {rows, pitch}, element);
    return failed() ? 0 : whole - (pitch - channels) * element;
}

void Call::buffers(std::initializer_list<Buffer> buffers) {
    if (failed()) return;
    for (const Buffer& buffer : buffers) {
        if (buffer.data == nullptr) {
            if (buffer.optional) continue;
            return fail(VELU_STATUS_INVALID_ARGUMENT, "%s is NULL; it must point to %" PRId64 " bytes", buffer.name,
                        buffer.bytes);
        }
        if (reinterpret_cast<uintptr_t>(buffer.data) % static_cast<uintptr_t>(buffer.alignment) != 0) {
            return fail(VELU_STATUS_INVALID_ARGUMENT,
                        "%s is at %p, which is not aligned to its element's %" PRId64 " bytes", buffer.name,
                        buffer.data, buffer.alignment);
        }
    }
    for (const Buffer& written : buffers) {
        if (!written.written || written.data == nullptr) continue;
        for (const Buffer& other : buffers) {
            if (&other == &written || other.data == nullptr) continue;
            const auto a = reinterpret_cast<uintptr_t>(written.data);
            const auto b = reinterpret_cast<uintptr_t>(other.data);
            if (a + static_cast<uintptr_t>(written.bytes) <= b || b + static_cast<uintptr_t>(other.bytes) <= a)
                continue;
            if (a == b && written.bytes == other.bytes && may_be(written, other.name)) continue;
            return fail(VELU_STATUS_INVALID_ARGUMENT,
                        "%s (%" PRId64 " bytes at %p) overlaps %s (%" PRId64 " bytes at %p); give it memory of its own",
                        written.name, written.bytes, written.data, other.name, other.bytes, other.data);
        }
    }
}

void check_both_or_neither(Call& call, const char* first_name, const void* first, const char* second_name,
                           const void* second) {
    if ((first == nullptr) != (second == nullptr)) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT, "%s is NULL and %s is not; pass both or neither",
                  first == nullptr ? first_name : second_name, first == nullptr ? second_name : first_name);
    }
}

int64_t check_pitch(Call& call, const char* name, int64_t pitch, int64_t channels) {
    if (pitch == 0) return channels;
    if (pitch < channels) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT,
                  "%s is %" PRId64 "; it must be 0 or at least %" PRId64 ", the channels of a row", name, pitch,
                  channels);
    }
    return pitch;
}

}  // namespace velu
