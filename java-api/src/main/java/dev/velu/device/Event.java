package dev.velu.device;

import dev.velu.bindings.VeluNative;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A point in a stream's work. It lives until {@link #close} or the context's close; use after that is an
 * {@link IllegalStateException}. Nothing waits for an event that was never recorded.
 */
public final class Event implements AutoCloseable {
    private final Context context;
    private final MemorySegment handle;

    private Event(Context context, MemorySegment handle) {
        this.context = context;
        this.handle = handle;
    }

    /** An event of this context that was not recorded yet. */
    public static Event create(Context context) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment created = call.allocate(ValueLayout.ADDRESS);
            context.check(VeluNative.velu_event_create(context.handle(), created), "velu_event_create");
            return new Event(
                    context,
                    context.adopt(
                            created.get(ValueLayout.ADDRESS, 0), VeluNative::velu_event_destroy, "velu_event_destroy"));
        }
    }

    /** Moves the event to the end of the work that is on the stream now. */
    public void record(Stream stream) {
        context.check(VeluNative.velu_event_record(context.handle(), handle(), stream.ordinal()), "velu_event_record");
    }

    /** Lets the work that is put on a stream from now on wait for this event; the calling thread goes on. */
    public void makeWait(Stream stream) {
        context.check(VeluNative.velu_event_wait(context.handle(), handle(), stream.ordinal()), "velu_event_wait");
    }

    /**
     * Lets the calling thread wait for this event.
     *
     * @throws VeluException also for an error of the device in the work before the event
     */
    public void synchronize() {
        context.check(VeluNative.velu_event_synchronize(context.handle(), handle()), "velu_event_synchronize");
    }

    /**
     * Time on the device from another event to this one, in milliseconds. Both must have been reached, e.g. after
     * {@link #synchronize} on this one.
     *
     * @throws VeluException with {@link Status#INVALID_ARGUMENT} if one was never recorded
     */
    public float millisecondsSince(Event start) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment milliseconds = call.allocate(ValueLayout.JAVA_FLOAT);
            context.check(
                    VeluNative.velu_event_elapsed(context.handle(), start.handle(), handle(), milliseconds),
                    "velu_event_elapsed");
            return milliseconds.get(ValueLayout.JAVA_FLOAT, 0);
        }
    }

    private MemorySegment handle() {
        context.handle();
        if (!handle.scope().isAlive()) {
            throw new IllegalStateException("this event is closed");
        }
        return handle;
    }

    /** Closing twice is allowed. */
    @Override
    public void close() {
        context.free(handle);
    }
}
