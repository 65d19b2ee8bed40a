package dev.velu.models;

import dev.velu.device.Context;
import dev.velu.graph.Plan;
import dev.velu.graph.Value;
import dev.velu.optim.Optimizer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * One step of training, planned ahead: pixels to loss, the backward pass and the optimizer's update. Running it allocates
 * nothing.
 *
 * <p>Used by one thread at a time. Its memory belongs to the context.
 */
public final class TrainingStep implements AutoCloseable {
    private final Context context;
    private final Plan plan;
    private final Optimizer optimizer;
    private final MemorySegment images;
    private final MemorySegment labels;
    private final MemorySegment results;
    private final MemorySegment resultsOnHost;
    private final long lossOffset;
    private final long top1Offset;
    private final long[] w2Offsets;

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
        this.context = context;
        this.optimizer = optimizer;
        TrainingGraph.training(network, labelSmoothing);
        plan = Plan.of(network.graph(), network.parameters(), context);
        try {
            optimizer.appendTo(plan);
        } catch (RuntimeException e) {
            plan.close();
            throw e;
        }
        images = plan.input(Network.IMAGES);
        labels = plan.input(TrainingGraph.LABELS);
        results = plan.resultMemory();
        resultsOnHost = Arena.ofAuto().allocate(results.byteSize(), 64);
        lossOffset = plan.resultOffset(TrainingGraph.LOSS);
        top1Offset = plan.resultOffset(TrainingGraph.TOP1);
        w2Offsets = network.graph().results().stream()
                .map(Value::name)
                .filter(name -> name.startsWith(Network.momentsOf("")))
                .mapToLong(name -> plan.resultOffset(name) + 2 * ValueLayout.JAVA_FLOAT.byteSize())
                .toArray();
    }

    /**
     * Runs one step.
     *
     * @param batchImages uint8 {@code [N, S, S, 3]}, host memory
     * @param batchLabels int32 {@code [N]}, host memory; -1 for rows to leave out
     * @throws dev.velu.device.VeluException if an operation fails, e.g. for a label that is not a class
     */
    public void run(MemorySegment batchImages, MemorySegment batchLabels, float learningRate) {
        context.upload(batchImages, images);
        context.upload(batchLabels, labels);
        optimizer.learningRate(learningRate);
        plan.run();
        context.download(results, resultsOnHost);
    }

    /** Cross-entropy of the last step, mean over its rows, without the W2 term. */
    public float loss() {
        return resultsOnHost.get(ValueLayout.JAVA_FLOAT, lossOffset);
    }

    /** Rows of the last step that were classified correctly, before its update. */
    public long top1() {
        return resultsOnHost.get(ValueLayout.JAVA_LONG, top1Offset);
    }

    /** {@code W2^2} of the last step, summed over the VeLU sites. */
    public double w2() {
        double sum = 0;
        for (long offset : w2Offsets) {
            sum += resultsOnHost.get(ValueLayout.JAVA_FLOAT, offset);
        }
        return sum;
    }

    /** Number of VeLU sites. */
    public int veluSites() {
        return w2Offsets.length;
    }

    @Override
    public void close() {
        plan.close();
    }
}
