// Graphs: operations recorded once and run again and again.
#include "core/call.h"

using velu::BackendTable;
using velu::Call;

velu_status velu_graph_begin(velu_context* context) {
    Call call(context, "velu_graph_begin");
    return call.run(&BackendTable::graph_begin);
}

velu_status velu_graph_end(velu_context* context, velu_graph** graph) {
    Call call(context, "velu_graph_end");
    if (call.failed()) return call.status();
    call.buffers({velu::output("graph", graph, sizeof *graph, alignof(velu_graph*))});
    if (call.failed()) return call.status();
    *graph = nullptr;
    return call.run(&BackendTable::graph_end, graph);
}

velu_status velu_graph_launch(velu_context* context, velu_graph* graph) {
    Call call(context, "velu_graph_launch");
    if (!call.failed() && graph == nullptr) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT, "graph is NULL; record one with velu_graph_begin and velu_graph_end");
    }
    return call.run(&BackendTable::graph_launch, graph);
}

velu_status velu_graph_destroy(velu_context* context, velu_graph* graph) {
    Call call(context, "velu_graph_destroy");
    if (call.failed() || graph == nullptr) return call.status();
    return call.run(&BackendTable::graph_destroy, graph);
}
