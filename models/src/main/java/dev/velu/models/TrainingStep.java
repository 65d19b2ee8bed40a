package dev.velu.models;

import dev.velu.device.Context;
import dev.velu.device.VeluException;
import dev.velu.graph.Phase;
import dev.velu.graph.Plan;
import dev.velu.graph.Value;
import dev.velu.nn.Parameters;
import dev.velu.op.Lerp;
import dev.velu.optim.Optimizer;
import dev.velu.optim.WeightAverage;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * One step of training, planned ahead: pixels to loss, the backward pass and the optimizer's update, or with {@linkplain
 * StepOptions#accumulation accumulation} one batch of several whose gradients are averaged for one update. Running it allocates
 * nothing.
 *
 * <p>{@link #run} is the simple way. A loop that is never to let a GPU wait submits a step, then awaits the one before it:
 * <pre>{@code
 * step.submit(images, labels, learningRate);
 * if (step.inFlight() == step.capacity()) {
 *     step.await();
 *     // loss(), top1() and w2() are those of the oldest step now
 * }
 * }</pre>
 *
 * <p>Used by one thread at a time. Its memory belongs to the context.
 */
public final class TrainingStep implements AutoCloseable {
    private static final TensorType WEIGHT = TensorType.f32();

    private final Context context;
    private final Plan plan;
    private final StepPipeline pipeline;
    private final boolean mixedLabels;
    private final int accumulation;
    private final WeightAverage average;
    /** Mean of the gradients so far of the update under way, and the weight of the next ones; null without accumulation. */
    private final MemorySegment accumulated;

    private final MemorySegment accumulationWeight;
    /** The shares of rows of one class; null without mixed labels. */
    private final MemorySegment wholeShares;

    private final long lossOffset;
    private final long top1Offset;
    private final long[] w2Offsets;
    private StepRecorder recorder;
    private long nextStep;

    /**
     * Plans the step, with other options as they are by default.
     *
     * @param network recorded for training; its parameters have memory on the context, with gradients
     * @param optimizer made for the same parameters
     * @param labelSmoothing in [0, 1]
     * @throws IllegalArgumentException if the optimizer was made for other parameters
     * @throws dev.velu.device.VeluException if memory is exhausted; says how much the plan needs
     */
    public TrainingStep(Network network, Context context, Optimizer optimizer, float labelSmoothing) {
        this(network, context, optimizer, StepOptions.of(labelSmoothing));
    }

    /**
     * Plans the step.
     *
     * @param network recorded for training; its parameters have memory on the context, with gradients
     * @param optimizer made for the same parameters
     * @throws IllegalArgumentException if the optimizer or the average was made for other parameters
     * @throws dev.velu.device.VeluException if memory is exhausted; says how much the plan needs
     */
    public TrainingStep(Network network, Context context, Optimizer optimizer, StepOptions options) {
        if (optimizer.parameters() != network.parameters()) {
            throw new IllegalArgumentException(
                    "the optimizer was made for other parameters than the network's; make it for network.parameters()");
        }
        if (options.average() != null && options.average().parameters() != network.parameters()) {
            throw new IllegalArgumentException(
                    "the average was made for other parameters than the network's; make it for"
                            + " network.parameters()");
        }
        this.context = context;
        mixedLabels = options.mixedLabels();
        accumulation = options.accumulation();
        average = options.average();
        TrainingGraph.training(network, options);
        plan = Plan.of(network.graph(), network.parameters(), context);
        MemorySegment mean = null;
        MemorySegment weight = null;
        MemorySegment shares = null;
        try {
            List<StepSetting> settings = StepSetting.of(plan, optimizer);
            if (accumulation > 1) {
                weight = context.allocate(WEIGHT.bytes());
                mean = allocateAccumulated(network.parameters());
                settings.add(new StepSetting(
                        weight,
                        (step, rate, host) -> host.set(ValueLayout.JAVA_FLOAT, 0, 1.0f / (1 + step % accumulation))));
                appendAccumulation(network.parameters(), weight, mean);
            }
            optimizer.appendTo(plan, mean == null ? network.parameters().gradients() : mean);
            if (average != null) {
                settings.add(new StepSetting(
                        average.weight(), (step, rate, host) -> average.writeWeight(step / accumulation, host)));
                average.appendTo(plan);
            }
            if (mixedLabels) {
                shares = context.allocateHost(
                        plan.input(TrainingGraph.LABEL_SHARES).byteSize());
                for (long row = 0; row < shares.byteSize() / WEIGHT.bytes(); row++) {
                    shares.setAtIndex(ValueLayout.JAVA_FLOAT, row, 1);
                }
            }
            pipeline = new StepPipeline(plan, context, settings);
        } catch (RuntimeException e) {
            release(context, plan, mean, weight, shares);
            throw e;
        }
        accumulated = mean;
        accumulationWeight = weight;
        wholeShares = shares;
        lossOffset = plan.resultOffset(TrainingGraph.LOSS);
        top1Offset = plan.resultOffset(TrainingGraph.TOP1);
        w2Offsets = network.graph().results().stream()
                .map(Value::name)
                .filter(name -> name.startsWith(Network.momentsOf("")))
                .mapToLong(name -> plan.resultOffset(name) + 2 * ValueLayout.JAVA_FLOAT.byteSize())
                .toArray();
    }

    private MemorySegment allocateAccumulated(Parameters parameters) {
        long bytes = parameters.trainedBytes();
        try {
            return context.allocate(bytes);
        } catch (VeluException e) {
            throw e.ifOutOfMemory("accumulated gradients need " + Math.ceilDiv(bytes, 1 << 20)
                    + " MiB; train without accumulation or a smaller network");
        }
    }

    /** The gradients of every batch go into the mean; where a batch is not the last of an update, its run ends there. */
    private void appendAccumulation(Parameters parameters, MemorySegment weight, MemorySegment mean) {
        TensorType flat = TensorType.f32(parameters.flatCount());
        plan.append(
                new Lerp(),
                List.of(WEIGHT, flat, flat),
                List.of(),
                List.of(weight, parameters.gradients().asSlice(0, flat.bytes()), mean),
                List.of(),
                "accumulation",
                Phase.OPTIMIZER);
        plan.endPart();
    }

    private static void release(
            Context context, Plan plan, MemorySegment mean, MemorySegment weight, MemorySegment shares) {
        try {
            if (context.isOpen()) {
                Stream.of(Optional.ofNullable(mean), Optional.ofNullable(weight))
                        .flatMap(Optional::stream)
                        .forEach(context::free);
                if (shares != null) {
                    context.freeHost(shares);
                }
            }
        } finally {
            plan.close();
        }
    }

    /**
     * Sets the number of the next batch, 0 at first: dropout and stochastic depth draw from it, it tells which batch of an update
     * comes next, and how far the average's warm-up is, so that a run that goes on later computes what it would have computed.
     *
     * @throws IllegalArgumentException if it is negative
     */
    public void nextStep(long step) {
        if (step < 0) {
            throw new IllegalArgumentException("step " + step + " is negative; steps count from 0");
        }
        nextStep = step;
    }

    /** Batches whose gradients are averaged for one update. */
    public int accumulation() {
        return accumulation;
    }

    /** Whether the batch submitted next ends with an update of the parameters; it always does without accumulation. */
    public boolean updatesNext() {
        return (nextStep + 1) % accumulation == 0;
    }

    /**
     * Mean of the gradients so far of the update under way, F32, laid out as {@link Parameters#gradients}, device memory; null
     * without accumulation. A run that goes on in the middle of an update needs it.
     */
    public MemorySegment accumulated() {
        return accumulated;
    }

    /**
     * Runs one step and waits for it, and for those submitted before.
     *
     * @param batchImages uint8 {@code [N, S, S, 3]}, host memory
     * @param batchLabels int32 {@code [N]}, host memory; -1 for rows to leave out
     * @throws dev.velu.device.VeluException if an operation fails; on the CPU e.g. for a label that is not a class
     */
    public void run(MemorySegment batchImages, MemorySegment batchLabels, float learningRate) {
        makeRoom();
        submit(batchImages, batchLabels, learningRate);
        awaitAll();
    }

    /** Runs one step with mixed labels, as {@link #submit(MemorySegment, MemorySegment, MemorySegment, MemorySegment, float)}, and waits. */
    public void run(
            MemorySegment batchImages,
            MemorySegment batchLabels,
            MemorySegment otherLabels,
            MemorySegment shares,
            float learningRate) {
        makeRoom();
        submit(batchImages, batchLabels, otherLabels, shares, learningRate);
        awaitAll();
    }

    private void makeRoom() {
        if (inFlight() == capacity()) {
            await();
        }
    }

    private void awaitAll() {
        while (inFlight() > 0) {
            await();
        }
    }

    /**
     * Starts one step. The batch's memory may be written again when this returns.
     *
     * @param batchImages uint8 {@code [N, S, S, 3]}, host memory; on CUDA it copies beside the step before only from
     *     {@link Context#allocateHost}
     * @param batchLabels int32 {@code [N]}, host memory; -1 for rows to leave out
     * @throws IllegalStateException if {@link #capacity} steps are under way, or the averaged weights are swapped in
     * @throws dev.velu.device.VeluException if an operation fails
     */
    public void submit(MemorySegment batchImages, MemorySegment batchLabels, float learningRate) {
        start(batchImages, batchLabels, batchLabels, wholeShares, learningRate);
    }

    /**
     * Starts one step of images of two classes, see {@link StepOptions#withMixedLabels}. The batch's memory may be written again
     * when this returns.
     *
     * @param batchImages uint8 {@code [N, S, S, 3]}, host memory
     * @param batchLabels int32 {@code [N]}, host memory; -1 for rows to leave out. {@link #top1} counts these
     * @param otherLabels int32 {@code [N]}, host memory: a class in every row that is not left out
     * @param shares float32 {@code [N]}, host memory: the shares of batchLabels in [0, 1]; the others have the rest
     * @throws IllegalStateException if the step is not for mixed labels, {@link #capacity} steps are under way, or the averaged
     *     weights are swapped in
     * @throws dev.velu.device.VeluException if an operation fails
     */
    public void submit(
            MemorySegment batchImages,
            MemorySegment batchLabels,
            MemorySegment otherLabels,
            MemorySegment shares,
            float learningRate) {
        if (!mixedLabels) {
            throw new IllegalStateException(
                    "this step is not for mixed labels; make it with StepOptions.withMixedLabels()");
        }
        start(batchImages, batchLabels, otherLabels, shares, learningRate);
    }

    private void start(
            MemorySegment batchImages,
            MemorySegment batchLabels,
            MemorySegment otherLabels,
            MemorySegment shares,
            float learningRate) {
        if (average != null && average.swapped()) {
            throw new IllegalStateException(
                    "the network has its averaged weights; exchange them with swap() before it is trained on");
        }
        pipeline.submit(batchImages, batchLabels, otherLabels, shares, nextStep, learningRate, updatesNext());
        nextStep++;
    }

    /**
     * Waits for the oldest step under way; {@link #loss}, {@link #top1} and {@link #w2} are its until the next one is
     * awaited or submitted.
     *
     * @throws IllegalStateException if none is under way
     * @throws dev.velu.device.VeluException if the step failed on the device
     */
    public void await() {
        pipeline.await();
    }

    /**
     * Times the steps submitted from now on, each native call by itself, and ends an earlier recording.
     *
     * @param steps to record; those that follow run as ever
     */
    public StepRecorder record(int steps) {
        stopRecording();
        recorder = new StepRecorder(plan, steps);
        pipeline.recordWith(recorder);
        return recorder;
    }

    private void stopRecording() {
        if (recorder != null) {
            pipeline.recordWith(null);
            recorder.close();
            recorder = null;
        }
    }

    /** Steps submitted and not awaited yet. */
    public int inFlight() {
        return pipeline.inFlight();
    }

    /** Steps that can be under way: 1 on the CPU, where a step is done when {@link #submit} returns; 2 on CUDA. */
    public int capacity() {
        return pipeline.capacity();
    }

    /** Cross-entropy of the step awaited last, mean over its rows, without the W2 term. */
    public float loss() {
        return pipeline.results().get(ValueLayout.JAVA_FLOAT, lossOffset);
    }

    /** Rows of the step awaited last that were classified correctly, before its update. */
    public long top1() {
        return pipeline.results().get(ValueLayout.JAVA_LONG, top1Offset);
    }

    /** {@code W2^2} of the step awaited last, summed over the VeLU sites. */
    public double w2() {
        MemorySegment results = pipeline.results();
        double sum = 0;
        for (long offset : w2Offsets) {
            sum += results.get(ValueLayout.JAVA_FLOAT, offset);
        }
        return sum;
    }

    /** Number of VeLU sites. */
    public int veluSites() {
        return w2Offsets.length;
    }

    @Override
    public void close() {
        try {
            stopRecording();
            pipeline.close();
        } finally {
            release(context, plan, accumulated, accumulationWeight, wholeShares);
        }
    }
}
