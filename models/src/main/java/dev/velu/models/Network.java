package dev.velu.models;

import dev.velu.graph.Graph;
import dev.velu.graph.Value;
import dev.velu.nn.Parameter;
import dev.velu.nn.Parameters;
import dev.velu.op.Cast;
import dev.velu.op.NormalizeImage;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.TensorType;
import java.util.List;

/**
 * A network recorded for a batch size: its graph from uint8 images to logits, and the tables that describe it.
 *
 * @param logits {@code [N, classes]} F32
 * @param layers modules in execution order
 * @param stages outputs of blocks and stages
 * @param sites activation sites in execution order, the head's included
 */
public record Network(
        NetworkSpec spec,
        Graph graph,
        Parameters parameters,
        Value logits,
        List<Layer> layers,
        List<Layer> stages,
        List<ActivationSite> sites) {
    /** Name of the input {@code [N, S, S, 3]} U8. */
    public static final String IMAGES = "images";
    /** Name of the input {@code []} I64: number of the training step, if dropout or stochastic depth draw from it. */
    public static final String STEP = "step";

    private static final int PAPER_HIDDEN_1 = 256;
    private static final int PAPER_HIDDEN_2 = 64;
    private static final String PAPER_LAMBDA = "head.activation.lambda";

    /**
     * Records a network whose dropout, if any, draws with seed 0.
     *
     * @see #build(NetworkSpec, Parameters, int, boolean, NormalizeImage, long)
     */
    public static Network build(
            NetworkSpec spec, Parameters parameters, int batch, boolean training, NormalizeImage normalization) {
        return build(spec, parameters, batch, training, normalization, 0);
    }

    /**
     * Records a network.
     *
     * @param parameters where its parameters are declared; pass the same ones again to share them
     * @param batch images in a batch, positive
     * @param training batch statistics, dropout, VeLU's moments as results, pooling positions for the backward pass
     * @param normalization what is done to pixels first
     * @param seed what dropout and stochastic depth draw with, beside the number of the step; unused for inference
     */
    public static Network build(
            NetworkSpec spec,
            Parameters parameters,
            int batch,
            boolean training,
            NormalizeImage normalization,
            long seed) {
        return build(spec, parameters, batch, training, normalization, seed, false);
    }

    /** Records a network for inference that keeps what its activation sites do as results. */
    static Network measured(NetworkSpec spec, Parameters parameters, int batch, NormalizeImage normalization) {
        return build(spec, parameters, batch, false, normalization, 0, true);
    }

    private static Network build(
            NetworkSpec spec,
            Parameters parameters,
            int batch,
            boolean training,
            NormalizeImage normalization,
            long seed,
            boolean measured) {
        if (batch < 1) {
            throw new IllegalArgumentException("batch size " + batch + " is not positive");
        }
        Graph graph = new Graph();
        NetworkBuilder net =
                new NetworkBuilder(graph, parameters, training, spec.bodyActivation(), spec.w2Weight(), seed);
        net.regularizeWith(spec.w2());
        if (measured) {
            net.measureActivations();
        }
        Value pixels = graph.input(IMAGES, new TensorType(DType.U8, Shape.of(batch, spec.size(), spec.size(), 3)));
        Value images = graph.within(
                "input",
                () -> normalization.apply(graph, pixels, spec.precision().dtype()));
        Value features = spec.architecture().features(net, images);
        net.activateWith(spec.headActivation());
        Value scores = switch (spec.head()) {
            case STANDARD -> spec.architecture().classifier(net, features, spec.classes());
            case PAPER -> paperHead(net, features, spec.classes());
        };
        Value logits = graph.within("logits", () -> new Cast(DType.F32).apply(graph, scores));
        return new Network(spec, graph, parameters, logits, net.layers(), net.stages(), net.sites());
    }

    /** The head of the paper's experiments; both activations are one VeLU instance with one lambda, as in the released code. */
    private static Value paperHead(NetworkBuilder net, Value features, int classes) {
        Value x = features.type().shape().rank() == 4 ? net.globalAvgPool("head.avgpool", features) : features;
        x = net.linear("head.fc1", x, PAPER_HIDDEN_1);
        x = net.activation("head.activation", 0, PAPER_LAMBDA, x);
        x = net.linear("head.fc2", x, PAPER_HIDDEN_2);
        x = net.activation("head.activation", 1, PAPER_LAMBDA, x);
        return net.linear("head.fc3", x, classes);
    }

    /** Name of the result that holds the moments {@code {mean(A), std(A), W2^2}} of a VeLU site, W2 of the spec's kind. */
    static String momentsOf(String site) {
        return "moments." + site;
    }

    /** Name of the result that holds the values of {@link dev.velu.op.ActivationStatistics} of a site. */
    static String valuesOf(String site) {
        return "statistics." + site;
    }

    /** Name of the result that holds the counts of {@link dev.velu.op.ActivationStatistics} of a site. */
    static String countsOf(String site) {
        return "counts." + site;
    }

    /** Trainable values of the architecture, as published: without VeLU's lambdas. */
    public long parameterCount() {
        return parameters.count(Parameter.Role.WEIGHT);
    }

    /** Multiplications with an addition of one forward pass of one image. */
    public long macsPerImage() {
        return layers.stream().mapToLong(Layer::macs).sum()
                / graph.inputs().getFirst().type().shape().size(0);
    }
}
