// Graphs are CUDA graphs captured from the compute stream.
#include "cuda/context.h"
#include "cuda/operations.h"

/// velu.h's opaque graph.
struct velu_graph {
    cudaGraphExec_t executable = nullptr;
};

namespace velu::cuda {

void require_not_recording(const Context& context) {
    if (!context.recording) return;
    throw Failure(VELU_STATUS_INVALID_ARGUMENT,
                  "a graph is being recorded; only operations, velu_memory_set and velu_memory_copy_async on the "
                  "compute stream may be called until velu_graph_end");
}

velu_status graph_begin(DeviceContext* context) {
    return guarded(context, [](Context& ctx) {
        require_not_recording(ctx);
        // Thread-local: other contexts of the process go on as they were.
        check(cudaStreamBeginCapture(ctx.compute(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
        ctx.recording = true;
    });
}

velu_status graph_end(DeviceContext* context, velu_graph** graph) {
    return guarded(context, [&](Context& ctx) {
        if (!ctx.recording) {
            throw Failure(VELU_STATUS_INVALID_ARGUMENT, "no graph is being recorded; call velu_graph_begin first");
        }
        ctx.recording = false;
        cudaGraph_t recorded = nullptr;
        check(cudaStreamEndCapture(ctx.compute(), &recorded), "cudaStreamEndCapture");
        auto created = std::make_unique<velu_graph>();
        const cudaError_t status = cudaGraphInstantiate(&created->executable, recorded, 0);
        cudaGraphDestroy(recorded);
        check(status, "cudaGraphInstantiate");
        *graph = created.release();
    });
}

velu_status graph_launch(DeviceContext* context, velu_graph* graph) {
    return guarded(context, [&](Context& ctx) {
        require_not_recording(ctx);
        check(cudaGraphLaunch(graph->executable, ctx.compute()), "cudaGraphLaunch");
    });
}

velu_status graph_destroy(DeviceContext* context, velu_graph* graph) {
    return guarded(context, [&](Context&) {
        const std::unique_ptr<velu_graph> owned(graph);
        check(cudaGraphExecDestroy(owned->executable), "cudaGraphExecDestroy");
    });
}

}  // namespace velu::cuda
