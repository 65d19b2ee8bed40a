package dev.velu.models;

import dev.velu.device.Context;
import dev.velu.graph.Plan;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Classification of one batch, planned ahead: pixels to logits, with loss and counts where labels are known.
 *
 * <p>Used by one thread at a time. Its memory belongs to the context.
 */
public final class InferenceStep implements AutoCloseable {
    private final Context context;
    private final Plan plan;
    private final int batch;
    private final int classes;
    private final MemorySegment noLabels;

    /**
     * @param network recorded for inference; its parameters have memory on the context
     * @throws dev.velu.device.VeluException if memory is exhausted; says how much the plan needs
     */
    public InferenceStep(Network network, Context context) {
        this.context = context;
        batch = Math.toIntExact(network.logits().type().shape().size(0));
        classes = network.spec().classes();
        TrainingGraph.evaluation(network);
        plan = Plan.of(network.graph(), network.parameters(), context);
        int[] leftOut = new int[batch];
        Arrays.fill(leftOut, -1);
        noLabels = MemorySegment.ofArray(leftOut);
    }

    /**
     * Runs a batch with known classes.
     *
     * @param images uint8 {@code [N, S, S, 3]}, host memory
     * @param labels int32 {@code [N]}, host memory; -1 for rows to leave out
     */
    public void run(MemorySegment images, MemorySegment labels) {
        context.upload(labels, plan.input(TrainingGraph.LABELS));
        context.upload(images, plan.input(Network.IMAGES));
        plan.run();
    }

    /**
     * Runs a batch whose classes are not known: loss and counts are 0.
     *
     * @param images uint8 {@code [N, S, S, 3]}, host memory
     */
    public void run(MemorySegment images) {
        run(images, noLabels);
    }

    /** Cross-entropy of the last batch, mean over the rows with a label. */
    public float loss() {
        return read(TrainingGraph.LOSS).get(ValueLayout.JAVA_FLOAT, 0);
    }

    /** Rows of the last batch that were classified correctly. */
    public long top1() {
        return read(TrainingGraph.TOP1).get(ValueLayout.JAVA_LONG, 0);
    }

    /** Rows of the last batch whose class is among the five most probable. */
    public long top5() {
        return read(TrainingGraph.TOP5).get(ValueLayout.JAVA_LONG, 0);
    }

    /** Probabilities of one row of the last batch, by class. */
    public double[] probabilities(int row) {
        if (row < 0 || row >= batch) {
            throw new IndexOutOfBoundsException("row " + row + " is outside 0.." + (batch - 1));
        }
        MemorySegment logits = read(TrainingGraph.LOGITS);
        double[] values = new double[classes];
        double largest = Double.NEGATIVE_INFINITY;
        for (int c = 0; c < classes; c++) {
            values[c] = logits.getAtIndex(ValueLayout.JAVA_FLOAT, (long) row * classes + c);
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

    private MemorySegment read(String result) {
        MemorySegment device = plan.result(result);
        MemorySegment host = MemorySegment.ofArray(new long[Math.toIntExact((device.byteSize() + 7) / 8)])
                .asSlice(0, device.byteSize());
        context.download(device, host);
        return host;
    }

    @Override
    public void close() {
        plan.close();
    }
}
