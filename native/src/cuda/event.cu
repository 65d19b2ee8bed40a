// Events are CUDA events with timing.
#include "cuda/context.h"
#include "cuda/operations.h"

/// velu.h's opaque event.
struct velu_event {
    cudaEvent_t event = nullptr;
    bool recorded = false;
};

namespace velu::cuda {

velu_status event_create(DeviceContext* context, velu_event** event) {
    return guarded(context, [&](Context& ctx) {
        require_not_recording(ctx);
        auto created = std::make_unique<velu_event>();
        check(cudaEventCreate(&created->event), "cudaEventCreate");
        *event = created.release();
    });
}

velu_status event_destroy(DeviceContext* context, velu_event* event) {
    return guarded(context, [&](Context&) {
        const std::unique_ptr<velu_event> owned(event);
        check(cudaEventDestroy(owned->event), "cudaEventDestroy");
    });
}

velu_status event_record(DeviceContext* context, velu_event* event, int32_t stream) {
    return guarded(context, [&](Context& ctx) {
        require_not_recording(ctx);
        check(cudaEventRecord(event->event, ctx.streams[stream]), "cudaEventRecord");
        event->recorded = true;
    });
}

velu_status event_wait(DeviceContext* context, velu_event* event, int32_t stream) {
    return guarded(context, [&](Context& ctx) {
        require_not_recording(ctx);
        check(cudaStreamWaitEvent(ctx.streams[stream], event->event, 0), "cudaStreamWaitEvent");
    });
}

velu_status event_synchronize(DeviceContext* context, velu_event* event) {
    return guarded(context, [&](Context& ctx) {
        require_not_recording(ctx);
        check(cudaEventSynchronize(event->event), "cudaEventSynchronize");
    });
}

velu_status event_elapsed(DeviceContext* context, velu_event* start, velu_event* end, float* milliseconds) {
    return guarded(context, [&](Context&) {
        if (!start->recorded || !end->recorded) {
            throw Failure(VELU_STATUS_INVALID_ARGUMENT, std::string(start->recorded ? "end" : "start") +
                                                            " was never recorded; call velu_event_record first");
        }
        const cudaError_t status = cudaEventElapsedTime(milliseconds, start->event, end->event);
        if (status == cudaErrorNotReady) {
            cudaGetLastError();
            throw Failure(VELU_STATUS_INVALID_ARGUMENT,
                          "an event has not been reached yet; call velu_event_synchronize first");
        }
        check(status, "cudaEventElapsedTime");
    });
}

}  // namespace velu::cuda
