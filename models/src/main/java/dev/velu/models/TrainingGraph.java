package dev.velu.models;

import dev.velu.device.Context;
import dev.velu.graph.Autodiff;
import dev.velu.graph.Fusion;
import dev.velu.graph.Packing;
import dev.velu.graph.Value;
import dev.velu.op.SoftmaxCrossEntropy;
import dev.velu.op.TopK;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.TensorType;

/** What is added to a network's graph to train or evaluate it: loss, counts, fusion, and for training the backward pass. */
final class TrainingGraph {
    /** Name of the input {@code [N]} I32: the classes, -1 for rows to leave out. */
    static final String LABELS = "labels";
    /** Name of the input {@code [N]} I32 of a graph for mixed labels: the second classes. */
    static final String OTHER_LABELS = "other_labels";
    /** Name of the input {@code [N]} F32 of a graph for mixed labels: the shares of the first classes. */
    static final String LABEL_SHARES = "label_shares";
    /** Name of the result: mean cross-entropy of the rows with a label, F32. */
    static final String LOSS = "loss";
    /** Name of the result: correct rows, I64. */
    static final String TOP1 = "top1";
    /** Name of the result: rows whose class is among the five most probable, I64. */
    static final String TOP5 = "top5";
    /** Name of the result of an inference plan: {@code [N, classes]} F32. */
    static final String LOGITS = "logits";

    private TrainingGraph() {}

    /** Adds loss with label smoothing, count of correct rows and the backward pass to what trains. */
    static void training(Network network, float labelSmoothing) {
        training(network, StepOptions.of(labelSmoothing));
    }

    /** Adds loss, count of correct rows and the backward pass to what trains. */
    static void training(Network network, StepOptions options) {
        Value labels = labels(network);
        Value others = options.mixedLabels() ? perImage(network, OTHER_LABELS, DType.I32) : null;
        Value shares = options.mixedLabels() ? perImage(network, LABEL_SHARES, DType.F32) : null;
        Value loss = new SoftmaxCrossEntropy(options.labelSmoothing())
                .apply(network.graph(), network.logits(), labels, others, shares);
        network.graph().result(LOSS, loss);
        network.graph().result(TOP1, new TopK(1).apply(network.graph(), network.logits(), labels));
        Fusion.fuse(network.graph(), network.parameters()::trains);
        Autodiff.differentiate(network.graph(), loss, network.parameters()::trains);
    }

    /** Adds what {@link #evaluation} adds, and prepares the parameters for inference on a context. */
    static void inference(Network network, Context context) {
        evaluation(network);
        Packing.pack(network.graph(), context);
        Fusion.fuse(network.graph(), false);
    }

    /** Adds loss without label smoothing and both counts, and keeps the logits. */
    static void evaluation(Network network) {
        Value labels = labels(network);
        network.graph().result(LOGITS, network.logits());
        network.graph().result(LOSS, new SoftmaxCrossEntropy(0).apply(network.graph(), network.logits(), labels));
        network.graph().result(TOP1, new TopK(1).apply(network.graph(), network.logits(), labels));
        network.graph().result(TOP5, new TopK(5).apply(network.graph(), network.logits(), labels));
    }

    private static Value labels(Network network) {
        return perImage(network, LABELS, DType.I32);
    }

    private static Value perImage(Network network, String name, DType dtype) {
        long batch = network.logits().type().shape().size(0);
        return network.graph().input(name, new TensorType(dtype, Shape.of(batch)));
    }
}
