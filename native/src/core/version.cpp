// Versions and names of statuses.
#include <velu/velu.h>

uint32_t velu_abi_version(void) {
    return VELU_ABI_VERSION;
}

const char* velu_version(void) {
    return VELU_VERSION;
}

const char* velu_status_name(velu_status status) {
    switch (status) {
        case VELU_STATUS_SUCCESS:
            return "success";
        case VELU_STATUS_INVALID_ARGUMENT:
            return "invalid argument";
        case VELU_STATUS_UNSUPPORTED:
            return "unsupported";
        case VELU_STATUS_OUT_OF_MEMORY:
            return "out of memory";
        case VELU_STATUS_BUSY:
            return "busy: another thread is inside a call on this context";
        case VELU_STATUS_BACKEND_UNAVAILABLE:
            return "backend unavailable";
        case VELU_STATUS_INTERNAL:
            return "internal error";
        default:
            return "unknown status";
    }
}
