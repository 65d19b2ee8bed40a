package dev.velu.optim;

import dev.velu.device.Context;
import dev.velu.device.Stream;
import dev.velu.device.VeluException;
import dev.velu.graph.Phase;
import dev.velu.graph.Plan;
import dev.velu.nn.Parameters;
import dev.velu.op.Lerp;
import dev.velu.tensor.DType;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * The exponential moving average of what trains of one set of parameters, and of the running statistics of its batch norms: after
 * each update {@code average = decay average + (1 - decay) value}. Averaged weights often classify better than the last ones; they
 * are evaluated and saved in the network's place, see {@link #swap}. Its memory belongs to the context.
 */
public final class WeightAverage {
    private static final TensorType SCALAR = TensorType.f32();
    private static final long MOST_SCRATCH_BYTES = 16 << 20;
    private static final String SCOPE = "average";

    private final Parameters parameters;
    private final Context context;
    private final double decay;
    private final boolean warmUp;
    private final MemorySegment values;
    private final MemorySegment buffers;
    private final MemorySegment weight;
    private final MemorySegment scratch;
    private boolean swapped;

    /**
     * Begins with the values the network has.
     *
     * @param parameters with memory on the context and values
     * @param decay in [0, 1): how much of the average is kept at an update; near 1 for a long memory
     * @param warmUp whether at most {@code (1 + t) / (10 + t)} is kept at update t, so that the first values are soon forgotten
     * @throws IllegalArgumentException if the decay is outside its range
     * @throws VeluException if memory is exhausted; says how much the average needs
     */
    public WeightAverage(Parameters parameters, double decay, boolean warmUp, Context context) {
        if (!(decay >= 0 && decay < 1)) {
            throw new IllegalArgumentException("decay " + decay + " of the averaged weights is outside [0, 1)");
        }
        this.parameters = parameters;
        this.context = context;
        this.decay = decay;
        this.warmUp = warmUp;
        long valueBytes = parameters.trainedBytes();
        long bufferBytes = parameters.statistics().byteSize();
        try {
            values = context.allocate(Math.max(SCALAR.bytes(), valueBytes)).asSlice(0, valueBytes);
            buffers = context.allocate(Math.max(SCALAR.bytes(), bufferBytes)).asSlice(0, bufferBytes);
            weight = context.allocate(SCALAR.bytes());
            scratch =
                    context.allocate(Math.clamp(Math.max(valueBytes, bufferBytes), SCALAR.bytes(), MOST_SCRATCH_BYTES));
        } catch (VeluException e) {
            throw e.ifOutOfMemory("the averaged weights need " + Math.ceilDiv(valueBytes + bufferBytes, 1 << 20)
                    + " MiB; train without them or a smaller network");
        }
        reset();
    }

    /** Begins anew with the values that the network has. */
    public void reset() {
        copy(parameters.trainedValues(), values);
        copy(parameters.statistics(), buffers);
        context.synchronize();
        swapped = false;
    }

    /** Adds the step of the average to the end of a plan that updates the parameters. */
    public void appendTo(Plan plan) {
        append(plan, parameters.trainedValues(), values);
        if (buffers.byteSize() > 0) {
            append(plan, parameters.statistics(), buffers);
        }
    }

    private void append(Plan plan, MemorySegment from, MemorySegment average) {
        TensorType flat = TensorType.f32(average.byteSize() / DType.F32.bytes());
        plan.append(
                new Lerp(),
                List.of(SCALAR, flat, flat),
                List.of(),
                List.of(weight, from, average),
                List.of(),
                SCOPE,
                Phase.OPTIMIZER);
    }

    /** Device memory of the weight of the values at an update, an F32 scalar: what is to be written there before, see {@link #writeWeight}. */
    public MemorySegment weight() {
        return weight;
    }

    /**
     * Writes how much the values count at an update.
     *
     * @param update number of the update, from 0
     * @param host F32, one value
     */
    public void writeWeight(long update, MemorySegment host) {
        double kept = warmUp ? Math.min(decay, (1.0 + update) / (10.0 + update)) : decay;
        host.set(ValueLayout.JAVA_FLOAT, 0, (float) (1 - kept));
    }

    /**
     * Exchanges the network's values with the average, and back again when called anew. Plans with prepared parameters are then to
     * be {@linkplain Plan#refresh refreshed}; no training step may run in between.
     */
    public void swap() {
        exchange(parameters.trainedValues(), values);
        exchange(parameters.statistics(), buffers);
        context.synchronize();
        swapped = !swapped;
    }

    /** Whether the network has the averaged values, and {@link #values} and {@link #buffers} hold its own. */
    public boolean swapped() {
        return swapped;
    }

    private void exchange(MemorySegment a, MemorySegment b) {
        for (long done = 0; done < a.byteSize(); done += scratch.byteSize()) {
            long bytes = Math.min(scratch.byteSize(), a.byteSize() - done);
            MemorySegment kept = scratch.asSlice(0, bytes);
            copy(a.asSlice(done, bytes), kept);
            copy(b.asSlice(done, bytes), a.asSlice(done, bytes));
            copy(kept, b.asSlice(done, bytes));
        }
    }

    private void copy(MemorySegment from, MemorySegment to) {
        if (from.byteSize() > 0) {
            context.copyAsync(from, to, Stream.COMPUTE);
        }
    }

    /** The parameters that it averages. */
    public Parameters parameters() {
        return parameters;
    }

    /** The averaged parameters, F32, laid out as {@link Parameters#trainedValues}, device memory. */
    public MemorySegment values() {
        return values;
    }

    /** The averaged running statistics, F32, laid out as {@link Parameters#statistics}, device memory; empty without any. */
    public MemorySegment buffers() {
        return buffers;
    }
}
