package dev.velu.selftest;

import dev.velu.device.Context;
import dev.velu.device.Event;
import dev.velu.device.Stream;
import dev.velu.op.Add;
import dev.velu.op.Velu;
import dev.velu.op.VeluParameters;
import dev.velu.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The order of work on the two streams of a device, as events make it, and the time between events. */
final class StreamCheck {
    private static final int COUNT = 1 << 16;
    private static final int ROUNDS = 8;

    private StreamCheck() {}

    static void run(Probe probe) {
        probe.trialOfDevice("events", "copies and operations on two streams take turns", StreamCheck::takeTurns);
        probe.trialOfDevice("events", "time between two events", StreamCheck::elapsed);
    }

    /**
     * Rounds of: copy a batch to the device on one stream, compute with it on the other, copy the result back on the
     * first; each waits for the one before it by events only, and the host looks at the end.
     */
    private static void takeTurns(Trial trial) {
        Context context = trial.context();
        MemorySegment up = context.allocateHost((long) ROUNDS * COUNT * Float.BYTES);
        MemorySegment down = context.allocateHost((long) ROUNDS * COUNT * Float.BYTES);
        Event arrived = Event.create(context);
        Event computed = Event.create(context);
        Event left = Event.create(context);
        try {
            float[] values = Numbers.normal(1, ROUNDS * COUNT, 1);
            MemorySegment.copy(values, 0, up, ValueLayout.JAVA_FLOAT, 0, values.length);
            Tensor x = trial.updated(new float[COUNT], COUNT);
            Tensor sum = trial.updated(new float[COUNT], COUNT);
            long bytes = (long) COUNT * Float.BYTES;
            for (int round = 0; round < ROUNDS; round++) {
                computed.makeWait(Stream.TRANSFER);
                context.uploadAsync(up.asSlice(round * bytes, bytes), x.segment(), Stream.TRANSFER);
                arrived.record(Stream.TRANSFER);
                arrived.makeWait(Stream.COMPUTE);
                left.makeWait(Stream.COMPUTE);
                new Add().forward(context, x, sum, sum);
                computed.record(Stream.COMPUTE);
                computed.makeWait(Stream.TRANSFER);
                context.downloadAsync(sum.segment(), down.asSlice(round * bytes, bytes), Stream.TRANSFER);
                left.record(Stream.TRANSFER);
            }
            left.synchronize();
            float[] expected = new float[COUNT];
            for (int round = 0; round < ROUNDS; round++) {
                for (int i = 0; i < COUNT; i++) {
                    expected[i] += values[round * COUNT + i];
                    float actual = down.getAtIndex(ValueLayout.JAVA_FLOAT, (long) round * COUNT + i);
                    trial.comparison().element("sum of round " + round, i, actual, expected[i], 0);
                }
            }
        } finally {
            context.synchronize();
            left.close();
            computed.close();
            arrived.close();
            context.freeHost(down);
            context.freeHost(up);
        }
    }

    private static void elapsed(Trial trial) {
        Context context = trial.context();
        Tensor x = trial.input(Numbers.normal(1, COUNT, 1), COUNT / 64, 64);
        Tensor y = trial.output(x.dtype(), COUNT / 64, 64);
        try (Event start = Event.create(context);
                Event middle = Event.create(context);
                Event end = Event.create(context)) {
            start.record(Stream.COMPUTE);
            new Velu(VeluParameters.released(), 0).forward(context, x, null, y, null);
            middle.record(Stream.COMPUTE);
            new Velu(VeluParameters.released(), 0).forward(context, x, null, y, null);
            end.record(Stream.COMPUTE);
            end.synchronize();
            double first = middle.millisecondsSince(start);
            double second = end.millisecondsSince(middle);
            double both = end.millisecondsSince(start);
            trial.comparison().element("whether a time is negative", 0, Math.min(first, second) < 0 ? 1 : 0, 0, 0);
            // Clocks of devices tick in half microseconds.
            trial.compare("milliseconds of both", both, first + second, 0.005 + 1e-3 * both);
        }
    }
}
