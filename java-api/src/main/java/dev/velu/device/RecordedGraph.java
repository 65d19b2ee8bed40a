package dev.velu.device;

import dev.velu.bindings.VeluNative;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Operations that were recorded once, to be run again and again by one call with the same memory. That memory must stay
 * allocated as long as the graph is launched: native code cannot see that it is gone.
 *
 * <p>Only CUDA has graphs. A graph lives until {@link #close} or the context's close; use after that is an
 * {@link IllegalStateException}.
 */
public final class RecordedGraph implements AutoCloseable {
    private final Context context;
    private final MemorySegment handle;

    private RecordedGraph(Context context, MemorySegment handle) {
        this.context = context;
        this.handle = handle;
    }

    /**
     * Records what is called on the context meanwhile, without running it. Each operation must have run once before with the
     * same shapes. Whatever fails, the context records no longer afterwards.
     *
     * @param operations calls operations of this context; nothing that allocates, waits, or copies and waits
     * @throws VeluException with {@link Status#UNSUPPORTED} on the CPU; or if an operation cannot be recorded
     */
    public static RecordedGraph record(Context context, Runnable operations) {
        context.check(VeluNative.velu_graph_begin(context.handle()), "velu_graph_begin");
        try (Arena call = Arena.ofConfined()) {
            MemorySegment ended = call.allocate(ValueLayout.ADDRESS);
            try {
                operations.run();
            } catch (RuntimeException | Error e) {
                // What was recorded so far is of no use; if ending fails too, the first failure is the one to see.
                VeluNative.velu_graph_end(context.handle(), ended);
                VeluNative.velu_graph_destroy(context.handle(), ended.get(ValueLayout.ADDRESS, 0));
                throw e;
            }
            context.check(VeluNative.velu_graph_end(context.handle(), ended), "velu_graph_end");
            return new RecordedGraph(
                    context,
                    context.adopt(
                            ended.get(ValueLayout.ADDRESS, 0), VeluNative::velu_graph_destroy, "velu_graph_destroy"));
        }
    }

    /** Puts all that was recorded on {@link Stream#COMPUTE}. */
    public void launch() {
        MemorySegment opened = context.handle();
        if (!handle.scope().isAlive()) {
            throw new IllegalStateException("this graph is closed");
        }
        context.check(VeluNative.velu_graph_launch(opened, handle), "velu_graph_launch");
    }

    /** Waits for its last run. Closing twice is allowed. */
    @Override
    public void close() {
        if (!handle.scope().isAlive()) {
            return;
        }
        try {
            context.synchronize();
        } finally {
            context.free(handle);
        }
    }
}
