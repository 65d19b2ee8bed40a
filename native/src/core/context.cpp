// Backends, devices and contexts.
#include <cinttypes>
#include <cstring>
#include <new>

#include "core/call.h"

using velu::Backend;
using velu::BackendTable;
using velu::Call;

velu_status velu_backend_library_path(int32_t device, const char* folders) {
    if (velu::device_name(device) == nullptr) return VELU_STATUS_INVALID_ARGUMENT;
    try {
        return velu::set_library_path(device, folders == nullptr ? "" : folders) ? VELU_STATUS_SUCCESS
                                                                                 : VELU_STATUS_INVALID_ARGUMENT;
    } catch (const std::bad_alloc&) {
        return VELU_STATUS_OUT_OF_MEMORY;
    }
}

velu_status velu_backend_query(int32_t device, velu_backend_info* info) {
    if (info == nullptr || velu::device_name(device) == nullptr) return VELU_STATUS_INVALID_ARGUMENT;
    *info = {};
    info->device = device;
    const Backend& backend = velu::backend(device);
    if (backend.table != nullptr) return backend.table->backend_query(info);
    static_assert(sizeof info->reason >= sizeof backend.reason);
    std::memcpy(info->reason, backend.reason, sizeof backend.reason);
    return VELU_STATUS_SUCCESS;
}

velu_status velu_device_query(int32_t device, int32_t index, velu_device_info* info) {
    if (info == nullptr || velu::device_name(device) == nullptr || index < 0) return VELU_STATUS_INVALID_ARGUMENT;
    *info = {};
    info->device = device;
    info->index = index;
    const Backend& backend = velu::backend(device);
    return backend.table == nullptr ? VELU_STATUS_BACKEND_UNAVAILABLE : backend.table->device_query(index, info);
}

velu_status velu_context_create(const velu_context_desc* desc, velu_context** context, char* message,
                                size_t message_capacity) {
    char unused[1];
    if (message == nullptr || message_capacity == 0) {
        message = unused;
        message_capacity = sizeof unused;
    }
    message[0] = '\0';
    const auto fail = [message, message_capacity](velu_status status, const char* format, auto... values) {
        std::snprintf(message, message_capacity, format, values...);
        return status;
    };
    constexpr velu_status kInvalid = VELU_STATUS_INVALID_ARGUMENT;
    if (context == nullptr) return fail(kInvalid, "velu_context_create: context is NULL%s", "");
    *context = nullptr;
    if (desc == nullptr) return fail(kInvalid, "velu_context_create: desc is NULL; pass a descriptor%s", "");
    if (velu::device_name(desc->device) == nullptr) {
        return fail(kInvalid, "velu_context_create: device is %" PRId32 ", which is not a VELU_DEVICE_*", desc->device);
    }
    if (desc->threads < 0 || desc->threads > 1024) {
        return fail(kInvalid, "velu_context_create: threads is %" PRId32 "; it must be 0 (all processors) to 1024",
                    desc->threads);
    }
    if (desc->isa < VELU_ISA_AUTO || desc->isa > VELU_ISA_AVX512) {
        return fail(kInvalid, "velu_context_create: isa is %" PRId32 ", which is not a VELU_ISA_*", desc->isa);
    }
    if (desc->allow_tf32 != 0 && desc->allow_tf32 != 1) {
        return fail(kInvalid, "velu_context_create: allow_tf32 is %" PRId32 "; it must be 0 or 1", desc->allow_tf32);
    }
    const Backend& backend = velu::backend(desc->device);
    if (backend.table == nullptr) {
        return fail(VELU_STATUS_BACKEND_UNAVAILABLE, "velu_context_create: the %s backend is unavailable: %s",
                    velu::device_name(desc->device), backend.reason);
    }
    auto* created = new (std::nothrow) velu_context;
    if (created == nullptr) return fail(VELU_STATUS_OUT_OF_MEMORY, "velu_context_create: out of host memory%s", "");
    created->device = desc->device;
    created->table = backend.table;
    char reason[512] = "";
    const velu_status status = backend.table->context_create(desc, &created->backend, reason, sizeof reason);
    if (status != VELU_STATUS_SUCCESS) {
        delete created;
        return fail(status, "velu_context_create: %s", reason);
    }
    *context = created;
    return VELU_STATUS_SUCCESS;
}

velu_status velu_context_destroy(velu_context* context) {
    if (context == nullptr) return VELU_STATUS_SUCCESS;
    if (context->busy.exchange(true, std::memory_order_acquire)) return VELU_STATUS_BUSY;
    context->table->context_destroy(context->backend);
    delete context;
    return VELU_STATUS_SUCCESS;
}

const char* velu_context_last_error(const velu_context* context) {
    return context == nullptr ? "the context is NULL; create one with velu_context_create" : context->backend->message;
}

velu_status velu_context_synchronize(velu_context* context) {
    Call call(context, "velu_context_synchronize");
    return call.run(&BackendTable::context_synchronize);
}

velu_status velu_context_threads(velu_context* context, int32_t* threads) {
    Call call(context, "velu_context_threads");
    call.buffers({velu::output("threads", threads, sizeof *threads, alignof(int32_t))});
    return call.run(&BackendTable::context_threads, threads);
}

velu_status velu_context_workspace_size(velu_context* context, int64_t* bytes) {
    Call call(context, "velu_context_workspace_size");
    call.buffers({velu::output("bytes", bytes, sizeof *bytes, alignof(int64_t))});
    return call.run(&BackendTable::context_workspace_size, bytes);
}
