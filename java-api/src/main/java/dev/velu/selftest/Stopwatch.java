package dev.velu.selftest;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Event;
import dev.velu.device.Stream;
import java.util.Arrays;

/** Times work of a device: between events of its stream, on the CPU by the clock. */
final class Stopwatch implements AutoCloseable {
    /** Median and interquartile range, in milliseconds per call. */
    record Time(double median, double range, int repetitions) {}

    private static final int REPETITIONS = 11;

    private final Context context;
    private final boolean asynchronous;
    private final Event start;
    private final Event end;
    private final double leastMilliseconds;

    Stopwatch(Context context) {
        this.context = context;
        asynchronous = context.device().kind() != Device.Kind.CPU;
        start = Event.create(context);
        end = Event.create(context);
        // Long against the ticks of the clock, short against the patience of who waits.
        leastMilliseconds = asynchronous ? 2 : 5;
    }

    Time time(Runnable work) {
        // The first run chooses implementations and loads code; the second tells how many fill one repetition.
        work.run();
        context.synchronize();
        double once = Math.max(1e-4, milliseconds(work, 1));
        int calls = (int) Math.clamp(Math.ceil(leastMilliseconds / once), 1, 1000);
        double[] times = new double[REPETITIONS];
        for (int i = 0; i < times.length; i++) {
            times[i] = milliseconds(work, calls) / calls;
        }
        Arrays.sort(times);
        int quarter = times.length / 4;
        return new Time(times[times.length / 2], times[times.length - 1 - quarter] - times[quarter], times.length);
    }

    private double milliseconds(Runnable work, int calls) {
        if (!asynchronous) {
            long begin = System.nanoTime();
            for (int i = 0; i < calls; i++) {
                work.run();
            }
            return (System.nanoTime() - begin) / 1e6;
        }
        // One call ahead: while the device is busy with it the host puts the others behind, so that the device does not
        // wait for the host between the two events.
        work.run();
        start.record(Stream.COMPUTE);
        for (int i = 0; i < calls; i++) {
            work.run();
        }
        end.record(Stream.COMPUTE);
        end.synchronize();
        return end.millisecondsSince(start);
    }

    @Override
    public void close() {
        end.close();
        start.close();
    }
}
