// Events: points in a stream's work.
#include "core/call.h"

using velu::BackendTable;
using velu::Call;

namespace {

void require(Call& call, const char* name, const velu_event* event) {
    if (event == nullptr) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT, "%s is NULL; create it with velu_event_create", name);
    }
}

}  // namespace

velu_status velu_event_create(velu_context* context, velu_event** event) {
    Call call(context, "velu_event_create");
    if (call.failed()) return call.status();
    call.buffers({velu::output("event", event, sizeof *event, alignof(velu_event*))});
    if (call.failed()) return call.status();
    *event = nullptr;
    return call.run(&BackendTable::event_create, event);
}

velu_status velu_event_destroy(velu_context* context, velu_event* event) {
    Call call(context, "velu_event_destroy");
    if (call.failed() || event == nullptr) return call.status();
    return call.run(&BackendTable::event_destroy, event);
}

velu_status velu_event_record(velu_context* context, velu_event* event, int32_t stream) {
    Call call(context, "velu_event_record");
    if (call.failed()) return call.status();
    require(call, "event", event);
    call.range("stream", stream, VELU_STREAM_COMPUTE, VELU_STREAM_TRANSFER);
    return call.run(&BackendTable::event_record, event, stream);
}

velu_status velu_event_wait(velu_context* context, velu_event* event, int32_t stream) {
    Call call(context, "velu_event_wait");
    if (call.failed()) return call.status();
    require(call, "event", event);
    call.range("stream", stream, VELU_STREAM_COMPUTE, VELU_STREAM_TRANSFER);
    return call.run(&BackendTable::event_wait, event, stream);
}

velu_status velu_event_synchronize(velu_context* context, velu_event* event) {
    Call call(context, "velu_event_synchronize");
    if (call.failed()) return call.status();
    require(call, "event", event);
    return call.run(&BackendTable::event_synchronize, event);
}

velu_status velu_event_elapsed(velu_context* context, velu_event* start, velu_event* end, float* milliseconds) {
    Call call(context, "velu_event_elapsed");
    if (call.failed()) return call.status();
    require(call, "start", start);
    require(call, "end", end);
    call.buffers({velu::output("milliseconds", milliseconds, velu::kFloat, velu::kFloat)});
    return call.run(&BackendTable::event_elapsed, start, end, milliseconds);
}
