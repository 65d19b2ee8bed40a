// Every call is complete when it returns, so an event is the time at which it was recorded.
#include <chrono>
#include <new>
#include <optional>

#include "cpu/operations.h"

/// velu.h's opaque event.
struct velu_event {
    std::optional<std::chrono::steady_clock::time_point> time;
};

namespace velu::cpu {

velu_status event_create(DeviceContext* context, velu_event** event) {
    *event = new (std::nothrow) velu_event;
    return *event == nullptr ? context->fail(VELU_STATUS_OUT_OF_MEMORY, "out of host memory") : VELU_STATUS_SUCCESS;
}

velu_status event_destroy(DeviceContext*, velu_event* event) {
    delete event;
    return VELU_STATUS_SUCCESS;
}

velu_status event_record(DeviceContext*, velu_event* event, int32_t) {
    event->time = std::chrono::steady_clock::now();
    return VELU_STATUS_SUCCESS;
}

velu_status event_wait(DeviceContext*, velu_event*, int32_t) {
    return VELU_STATUS_SUCCESS;
}

velu_status event_synchronize(DeviceContext*, velu_event*) {
    return VELU_STATUS_SUCCESS;
}

velu_status event_elapsed(DeviceContext* context, velu_event* start, velu_event* end, float* milliseconds) {
    if (!start->time || !end->time) {
        return context->fail(VELU_STATUS_INVALID_ARGUMENT, "%s was never recorded; call velu_event_record first",
                             start->time ? "end" : "start");
    }
    *milliseconds = std::chrono::duration<float, std::milli>(*end->time - *start->time).count();
    return VELU_STATUS_SUCCESS;
}

}  // namespace velu::cpu
