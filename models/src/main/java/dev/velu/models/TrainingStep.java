package dev.velu.models;

import dev.velu.device.Context;
import dev.velu.graph.Plan;
import dev.velu.graph.Value;
import dev.velu.optim.Optimizer;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * One step of training, planned ahead: pixels to loss, the backward pass and the optimizer's update. Running it allocates
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
    private final Plan plan;
    private final StepPipeline pipeline;
    private final long lossOffset;
    private final long top1Offset;
    private final long[] w2Offsets;
    private StepRecorder recorder;
    private long nextStep;

    /**
     * @param network recorded for training; its parameters have memory on the context, with gradients
     * @param optimizer made for the same parameters
     * @param labelSmoothing in [0, 1]
     * @throws IllegalArgumentException if the optimizer was made for other parameters
     * @throws dev.velu.device.VeluException if memory is exhausted; says how much the plan needs
     */
    public TrainingStep(Network network, Context context, Optimizer optimizer, float labelSmoothing) {
        if (optimizer.parameters() != network.parameters()) {
            throw new IllegalArgumentException(
                    "the optimizer was made for other parameters than the network's; make it for network.parameters()");
        }
        TrainingGraph.training(network, labelSmoothing);
        plan = Plan.of(network.graph(), network.parameters(), context);
        try {
            optimizer.appendTo(plan);
            pipeline = new StepPipeline(plan, context, optimizer);
        } catch (RuntimeException e) {
            plan.close();
            throw e;
        }
        lossOffset = plan.resultOffset(TrainingGraph.LOSS);
        top1Offset = plan.resultOffset(TrainingGraph.TOP1);
        w2Offsets = network.graph().results().stream()
                .map(Value::name)
                .filter(name -> name.startsWith(Network.momentsOf("")))
                .mapToLong(name -> plan.resultOffset(name) + 2 * ValueLayout.JAVA_FLOAT.byteSize())
                .toArray();
    }

    /**
     * Sets the number of the next step, 0 at first: dropout and stochastic depth draw from it, so that a run that goes on later
     * draws what it would have drawn.
     *
     * @throws IllegalArgumentException if it is negative
     */
    public void nextStep(long step) {
        if (step < 0) {
            throw new IllegalArgumentException("step " + step + " is negative; steps count from 0");
        }
        nextStep = step;
    }

    /**
     * Runs one step and waits for it, and for those submitted before.
     *
     * @param batchImages uint8 {@code [N, S, S, 3]}, host memory
     * @param batchLabels int32 {@code [N]}, host memory; -1 for rows to leave out
     * @throws dev.velu.device.VeluException if an operation fails; on the CPU e.g. for a label that is not a class
     */
    public void run(MemorySegment batchImages, MemorySegment batchLabels, float learningRate) {
        if (inFlight() == capacity()) {
            await();
        }
        submit(batchImages, batchLabels, learningRate);
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
     * @throws IllegalStateException if {@link #capacity} steps are under way
     * @throws dev.velu.device.VeluException if an operation fails
     */
    public void submit(MemorySegment batchImages, MemorySegment batchLabels, float learningRate) {
        pipeline.submit(batchImages, batchLabels, nextStep, learningRate);
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
            plan.close();
        }
    }
}
