package dev.velu.op;

import dev.velu.graph.Graph;
import dev.velu.graph.Value;
import dev.velu.nn.Initializer;
import dev.velu.nn.Parameter;
import dev.velu.nn.Parameters;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.TensorType;

/**
 * Convolution, batch norm with VeLU, a residual sum, max pooling, a second convolution, global average pooling, linear,
 * cross-entropy: what mixed precision has to get right, small enough to emulate. Inputs {@link #X} and {@link #LABELS},
 * result {@link #LOSS}.
 *
 * @param loss of the logits as F32
 */
record SmallNetwork(Graph graph, Parameters parameters, Value loss) {
    static final Initializer RANDOM = new Initializer.Uniform(-0.5f, 0.5f);
    static final String X = "x";
    static final String LABELS = "labels";
    static final String LOSS = "loss";
    static final int BATCH = 4;
    static final int SIZE = 6;
    static final int CHANNELS = 8;
    static final int CLASSES = 5;

    private static final Initializer ONE = new Initializer.Constant(1);
    private static final Initializer ZERO = new Initializer.Constant(0);

    /** @param dtype of the activations; x is F32 in either */
    SmallNetwork(DType dtype) {
        this(new Graph(), new Parameters(), dtype);
    }

    private SmallNetwork(Graph graph, Parameters parameters, DType dtype) {
        this(graph, parameters, record(graph, parameters, dtype));
    }

    private static Value record(Graph graph, Parameters parameters, DType dtype) {
        Value x = graph.input(X, TensorType.f32(BATCH, SIZE, SIZE, CHANNELS));
        Value labels = graph.input(LABELS, new TensorType(DType.I32, Shape.of(BATCH)));
        Value body =
                dtype == DType.F32 ? x : graph.apply(new Cast.Forward(dtype), x).getFirst();
        Value y = convolution(graph, parameters, "conv1", body);
        y = BatchNorm.defaults()
                .applyTraining(
                        graph,
                        y,
                        trained(graph, parameters, "norm.weight", ONE, CHANNELS),
                        trained(graph, parameters, "norm.bias", ZERO, CHANNELS),
                        kept(graph, parameters, "norm.running_mean", TensorType.f32(CHANNELS), ZERO),
                        kept(graph, parameters, "norm.running_var", TensorType.f32(CHANNELS), ONE),
                        kept(
                                graph,
                                parameters,
                                "norm.num_batches_tracked",
                                new TensorType(DType.I64, Shape.of()),
                                ZERO));
        y = new Add().apply(graph, y, body);
        y = new Velu(VeluParameters.released(), 0.1f)
                .apply(graph, y, trained(graph, parameters, "lambda", ONE))
                .y();
        y = MaxPool2d.of(2, 2, 0).apply(graph, y);
        y = convolution(graph, parameters, "conv2", y);
        y = new GlobalAvgPool().apply(graph, y);
        y = new Linear()
                .apply(
                        graph,
                        y,
                        trained(graph, parameters, "fc.weight", RANDOM, CLASSES, CHANNELS),
                        trained(graph, parameters, "fc.bias", RANDOM, CLASSES));
        Value loss = new SoftmaxCrossEntropy(0.1f).apply(graph, new Cast(DType.F32).apply(graph, y), labels);
        return graph.result(LOSS, loss);
    }

    private static Value convolution(Graph graph, Parameters parameters, String name, Value x) {
        return Conv2d.of(1, 1)
                .apply(graph, x, trained(graph, parameters, name + ".weight", RANDOM, CHANNELS, 3, 3, CHANNELS), null);
    }

    private static Value trained(
            Graph graph, Parameters parameters, String name, Initializer initializer, long... sizes) {
        return graph.parameter(parameters.declare(new Parameter(
                name, TensorType.f32(sizes), Parameter.Role.WEIGHT, Parameter.Layout.PLAIN, initializer)));
    }

    private static Value kept(
            Graph graph, Parameters parameters, String name, TensorType type, Initializer initializer) {
        return graph.parameter(parameters.declare(
                new Parameter(name, type, Parameter.Role.BUFFER, Parameter.Layout.PLAIN, initializer)));
    }
}
