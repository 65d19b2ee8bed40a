// The CPU backend's table and the entries for backend, device and context.
#include <oneapi/dnnl/dnnl_version.h>

#include <cinttypes>

#include "cpu/bfloat16.h"
#include "cpu/context.h"
#include "cpu/device.h"
#include "cpu/dnnl_state.h"
#include "cpu/operations.h"

namespace velu::cpu {

velu_status backend_query(velu_backend_info* info) {
    info->device = VELU_DEVICE_CPU;
    info->available = 1;
    info->device_count = 1;
    const dnnl_version_t* loaded = dnnl_version();
    std::snprintf(info->libraries, sizeof info->libraries, "oneDNN %d.%d.%d (built with %d.%d.%d), OpenMP (libgomp)",
                  loaded->major, loaded->minor, loaded->patch, DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR,
                  DNNL_VERSION_PATCH);
    return VELU_STATUS_SUCCESS;
}

velu_status device_query(int32_t index, velu_device_info* info) {
    if (index != 0) return VELU_STATUS_INVALID_ARGUMENT;
    const Memory machine = velu::cpu::memory();
    info->memory_total = machine.total;
    info->memory_free = machine.free;
    info->cores = processors();
    info->isa = best_isa();
    info->dtypes = 1 << VELU_DTYPE_F32;
    if (bfloat16_refusal(info->isa) == nullptr) info->dtypes |= 1 << VELU_DTYPE_BF16;
    processor_name(info->name, sizeof info->name);
    return VELU_STATUS_SUCCESS;
}

velu_status context_create(const velu_context_desc* desc, DeviceContext** context, char* message,
                           size_t message_capacity) {
    const auto fail = [message, message_capacity](velu_status status, const char* format, auto... values) {
        std::snprintf(message, message_capacity, format, values...);
        return status;
    };
    if (desc->device_index != 0) {
        return fail(VELU_STATUS_INVALID_ARGUMENT, "device_index is %" PRId32 "; the cpu backend has device 0 only",
                    desc->device_index);
    }
    const int32_t best = best_isa();
    if (desc->isa > best) {
        return fail(VELU_STATUS_UNSUPPORTED,
                    "this processor has no %s; the best it has is %s, which VELU_ISA_AUTO takes", isa_name(desc->isa),
                    isa_name(best));
    }
    try {
        auto created = std::make_unique<Context>();
        created->threads = desc->threads == 0 ? processors() : desc->threads;
        created->isa = desc->isa == VELU_ISA_AUTO ? best : desc->isa;
        created->bfloat16_refusal = bfloat16_refusal(created->isa);
        created->dnnl = std::make_unique<DnnlState>();
        *context = created.release();
        return VELU_STATUS_SUCCESS;
    } catch (const std::bad_alloc&) {
        return fail(VELU_STATUS_OUT_OF_MEMORY, "%s", "out of host memory");
    } catch (const std::exception& e) {
        return fail(VELU_STATUS_INTERNAL, "oneDNN: %s", e.what());
    }
}

void context_destroy(DeviceContext* context) {
    delete &cpu(context);
}

velu_status context_synchronize(DeviceContext*) {
    return VELU_STATUS_SUCCESS;
}

velu_status context_threads(DeviceContext* context, int32_t* threads) {
    *threads = cpu(context).threads;
    return VELU_STATUS_SUCCESS;
}

velu_status context_workspace_size(DeviceContext* context, int64_t* bytes) {
    *bytes = static_cast<int64_t>(cpu(context).workspace.size());
    return VELU_STATUS_SUCCESS;
}

namespace {

// clang-format off
constexpr BackendTable kTable = {
    .version = kBackendTableVersion,
    .size = sizeof(BackendTable),
    VELU_CONTEXT_ENTRIES(VELU_TABLE_ENTRY)
    .graph_begin = nullptr,  // a call is complete when it returns: nothing could be recorded
    .graph_end = nullptr,
    .graph_launch = nullptr,
    .graph_destroy = nullptr,
    VELU_OPERATION_ENTRIES(VELU_TABLE_ENTRY)
};
// clang-format on

}  // namespace
}  // namespace velu::cpu

const velu::BackendTable* velu_backend_table(const char*) {
    return &velu::cpu::kTable;
}
