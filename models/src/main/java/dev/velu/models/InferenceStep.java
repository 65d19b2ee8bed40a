package dev.velu.models;

import dev.velu.device.Context;
import dev.velu.graph.Plan;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * Classification of one batch, planned ahead: pixels to logits, with loss and counts where labels are known.
 *
 * <p>{@link #run} is the simple way; {@link #submit} and {@link #await} keep a GPU busy, see {@link TrainingStep}.
 *
 * <p>Used by one thread at a time. Its memory belongs to the context.
 */
public final class InferenceStep implements AutoCloseable {
    private final Context context;
    private final Plan plan;
    private final StepPipeline pipeline;
    private final int batch;
    private final int classes;
    private final long logitsOffset;
    private final long lossOffset;
    private final long top1Offset;
    private final long top5Offset;
    private final MemorySegment noLabels;

    /**
     * Plans the step.
     *
     * @param network recorded for inference; its parameters have memory on the context
     * @throws dev.velu.device.VeluException if memory is exhausted; says how much the plan needs
     */
    public InferenceStep(Network network, Context context) {
        this.context = context;
        batch = Math.toIntExact(network.logits().type().shape().size(0));
        classes = network.spec().classes();
        TrainingGraph.inference(network, context);
        plan = Plan.of(network.graph(), network.parameters(), context);
        try {
            pipeline = new StepPipeline(plan, context, List.of());
            noLabels = context.allocateHost((long) batch * ValueLayout.JAVA_INT.byteSize());
        } catch (RuntimeException e) {
            plan.close();
            throw e;
        }
        for (int row = 0; row < batch; row++) {
            noLabels.setAtIndex(ValueLayout.JAVA_INT, row, -1);
        }
        logitsOffset = plan.resultOffset(TrainingGraph.LOGITS);
        lossOffset = plan.resultOffset(TrainingGraph.LOSS);
        top1Offset = plan.resultOffset(TrainingGraph.TOP1);
        top5Offset = plan.resultOffset(TrainingGraph.TOP5);
    }

    /**
     * Takes over parameters that have changed since the first batch: convolutions run on copies of their weights, with the batch
     * norm that follows taken in. Batches under way are not affected.
     */
    public void refresh() {
        plan.refresh();
    }

    /**
     * Runs a batch with known classes and waits for it, and for those submitted before.
     *
     * @param images uint8 {@code [N, S, S, 3]}, host memory
     * @param labels int32 {@code [N]}, host memory; -1 for rows to leave out
     */
    public void run(MemorySegment images, MemorySegment labels) {
        if (inFlight() == capacity()) {
            await();
        }
        submit(images, labels);
        while (inFlight() > 0) {
            await();
        }
    }

    /**
     * Runs a batch whose classes are not known: loss and counts are 0.
     *
     * @param images uint8 {@code [N, S, S, 3]}, host memory
     */
    public void run(MemorySegment images) {
        run(images, noLabels);
    }

    /**
     * Starts a batch with known classes, as {@link #run} takes it. Its memory may be written again when this returns.
     *
     * @throws IllegalStateException if {@link #capacity} batches are under way
     */
    public void submit(MemorySegment images, MemorySegment labels) {
        pipeline.submit(images, labels, 0, 0);
    }

    /**
     * Waits for the oldest batch under way; all results are its until the next one is awaited or submitted.
     *
     * @throws IllegalStateException if none is under way
     */
    public void await() {
        pipeline.await();
    }

    /** Batches submitted and not awaited yet. */
    public int inFlight() {
        return pipeline.inFlight();
    }

    /** Batches that can be under way: 1 on the CPU, where one is done when {@link #submit} returns; 2 on CUDA. */
    public int capacity() {
        return pipeline.capacity();
    }

    /** Cross-entropy of the batch awaited last, mean over the rows with a label. */
    public float loss() {
        return pipeline.results().get(ValueLayout.JAVA_FLOAT, lossOffset);
    }

    /** Rows of the batch awaited last that were classified correctly. */
    public long top1() {
        return pipeline.results().get(ValueLayout.JAVA_LONG, top1Offset);
    }

    /** Rows of the batch awaited last whose class is among the five most probable. */
    public long top5() {
        return pipeline.results().get(ValueLayout.JAVA_LONG, top5Offset);
    }

    /** The scores of one row of the batch awaited last, one for each class. */
    public float[] logits(int row) {
        if (row < 0 || row >= batch) {
            throw new IndexOutOfBoundsException("row " + row + " is outside 0.." + (batch - 1));
        }
        float[] logits = new float[classes];
        MemorySegment.copy(
                pipeline.results(),
                ValueLayout.JAVA_FLOAT,
                logitsOffset + (long) row * classes * Float.BYTES,
                logits,
                0,
                classes);
        return logits;
    }

    /** Probabilities of one row of the batch awaited last, by class. */
    public double[] probabilities(int row) {
        float[] logits = logits(row);
        double[] values = new double[classes];
        double largest = Double.NEGATIVE_INFINITY;
        for (int c = 0; c < classes; c++) {
            values[c] = logits[c];
            largest = Math.max(largest, values[c]);
        }
        double sum = 0;
        for (int c = 0; c < classes; c++) {
            values[c] = Math.exp(values[c] - largest);
            sum += values[c];
        }
        for (int c = 0; c < classes; c++) {
            values[c] /= sum;
        }
        return values;
    }

    @Override
    public void close() {
        try {
            pipeline.close();
        } finally {
            context.freeHost(noLabels);
            plan.close();
        }
    }
}
