package dev.velu.graph;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Event;
import dev.velu.device.Stream;

/**
 * When each native call of a run began and ended: made by {@link Plan#callTimes}, filled by {@link Plan#run(CallTimes)}, in
 * nanoseconds of {@link System#nanoTime}.
 *
 * <p>On the CPU the clock is read around each call. On CUDA events between the calls tell how long the device took: a call ends
 * where the next begins, so what the device waits for the host before a call counts as that call's.
 */
public final class CallTimes implements AutoCloseable {
    private static final double NANOS_PER_MILLI = 1e6;

    private final Context context;
    private final long[] begins;
    private final long[] ends;
    /** One before each call and one behind the last; none where a call is done when it returns. */
    private final Event[] events;

    private long origin;

    CallTimes(Context context, int calls) {
        this.context = context;
        begins = new long[calls];
        ends = new long[calls];
        events = new Event[context.device().kind() == Device.Kind.CPU ? 0 : calls + 1];
        for (int i = 0; i < events.length; i++) {
            events[i] = Event.create(context);
        }
    }

    /** Number of calls of a run. */
    public int size() {
        return begins.length;
    }

    /** When a call of the run began, in nanoseconds. */
    public long begin(int call) {
        return begins[call];
    }

    /** When a call of the run ended, in nanoseconds. */
    public long end(int call) {
        return ends[call];
    }

    /** Time of all calls of the run, without what lies between them. */
    public long total() {
        long total = 0;
        for (int i = 0; i < begins.length; i++) {
            total += ends[i] - begins[i];
        }
        return total;
    }

    /** Before the first call: what was given to the device earlier must not count. */
    void start() {
        if (events.length > 0) {
            context.synchronize();
            origin = System.nanoTime();
            events[0].record(Stream.COMPUTE);
        }
    }

    void before(int call) {
        if (events.length == 0) {
            begins[call] = System.nanoTime();
        }
    }

    void after(int call) {
        if (events.length == 0) {
            ends[call] = System.nanoTime();
        } else {
            events[call + 1].record(Stream.COMPUTE);
        }
    }

    /** After the last call: waits for it. */
    void finish() {
        if (events.length > 0) {
            events[events.length - 1].synchronize();
            long begin = origin;
            for (int i = 0; i < begins.length; i++) {
                begins[i] = begin;
                begin = origin + Math.round(events[i + 1].millisecondsSince(events[0]) * NANOS_PER_MILLI);
                ends[i] = begin;
            }
        }
    }

    /** Releases its events. Closing twice is allowed. */
    @Override
    public void close() {
        if (context.isOpen()) {
            for (Event event : events) {
                event.close();
            }
        }
    }
}
