package dev.velu.models;

import dev.velu.graph.Graph;
import dev.velu.graph.Value;
import dev.velu.nn.Initializer;
import dev.velu.nn.Parameter;
import dev.velu.nn.Parameters;
import dev.velu.op.Activation;
import dev.velu.op.ActivationFunction;
import dev.velu.op.ActivationStatistics;
import dev.velu.op.AdaptiveAvgPool2d;
import dev.velu.op.Add;
import dev.velu.op.Attention;
import dev.velu.op.AvgPool2d;
import dev.velu.op.BatchNorm;
import dev.velu.op.ChannelScale;
import dev.velu.op.Concat;
import dev.velu.op.Conv2d;
import dev.velu.op.Dropout;
import dev.velu.op.FirstToken;
import dev.velu.op.GlobalAvgPool;
import dev.velu.op.LayerNorm;
import dev.velu.op.Linear;
import dev.velu.op.MaxPool2d;
import dev.velu.op.Pointwise;
import dev.velu.op.Reshape;
import dev.velu.op.TokenEmbedding;
import dev.velu.op.Velu;
import dev.velu.op.VeluParameters;
import dev.velu.op.W2;
import dev.velu.op.Wasserstein;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.TensorType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * Records a network module by module: each method declares the module's parameters under torchvision's names, adds its
 * operation to the graph, and notes it in the layer table. Building the same network twice on the same {@link Parameters}, for
 * training and for inference, shares the parameters.
 */
public final class NetworkBuilder {
    private static final float BATCH_NORM_EPS = 1e-5f;
    private static final float BATCH_NORM_MOMENTUM = 0.1f;
    private static final Initializer ZERO = new Initializer.Constant(0);
    private static final Initializer ONE = new Initializer.Constant(1);

    private final Graph graph;
    private final Parameters parameters;
    private final boolean training;
    private final float w2Weight;
    private final long seed;
    private final List<Layer> layers = new ArrayList<>();
    private final List<Layer> stages = new ArrayList<>();
    private final List<ActivationSite> sites = new ArrayList<>();
    private final Map<String, Integer> calls = new HashMap<>();
    private ActivationFunction activation;
    private W2 w2 = W2.GAUSSIAN;
    private boolean measures;
    private Value step;
    private int randomSites;

    /**
     * @param training whether batch norm uses the batch's statistics, dropout draws, and VeLU's moments are kept
     * @param activation the activation function of the sites that follow
     * @param w2Weight weight of the Wasserstein-2 term of every VeLU site
     * @param seed what dropout and stochastic depth draw with
     */
    NetworkBuilder(
            Graph graph,
            Parameters parameters,
            boolean training,
            ActivationFunction activation,
            float w2Weight,
            long seed) {
        this.graph = graph;
        this.parameters = parameters;
        this.training = training;
        this.activation = activation;
        this.w2Weight = w2Weight;
        this.seed = seed;
    }

    /** Size of the last axis. */
    public static long channels(Value x) {
        return x.type().shape().size(-1);
    }

    /** Convolution without bias, square kernel; He initialization by fan-out. x {@code [N, H, W, C]}. */
    public Value conv2d(String name, Value x, long outChannels, int kernel, int stride, int padding) {
        return conv2d(
                name, x, Convolution.of(outChannels, kernel).stride(stride).padding(padding));
    }

    /** Convolution. x {@code [N, H, W, C]}. */
    public Value conv2d(String name, Value x, Convolution c) {
        Conv2d conv2d = new Conv2d(c.stride(), c.stride(), c.padding(), c.padding(), 1, 1, c.groups());
        return module(name, "Conv2d", conv2d, () -> {
            Value weight = graph.parameter(parameters.declare(new Parameter(
                    name + ".weight",
                    TensorType.f32(c.outChannels(), c.kernel(), c.kernel(), channels(x) / c.groups()),
                    Parameter.Role.WEIGHT,
                    Parameter.Layout.CONVOLUTION,
                    c.initializer())));
            Value bias = c.bias() ? parameter(name + ".bias", ZERO, c.outChannels()) : null;
            return conv2d.apply(graph, x, weight, bias);
        });
    }

    /**
     * Batch normalization, eps 1e-5, momentum 0.1. x {@code [N, H, W, C]} or {@code [N, C]}. With weight and bias frozen it
     * normalizes by its running statistics in training, too, and leaves them.
     */
    public Value batchNorm(String name, Value x) {
        BatchNorm norm = BatchNorm.of(BATCH_NORM_EPS, BATCH_NORM_MOMENTUM);
        return module(name, "BatchNorm2d", norm, () -> {
            Value weight = parameter(name + ".weight", ONE, channels(x));
            Value bias = parameter(name + ".bias", ZERO, channels(x));
            Value runningMean = buffer(name + ".running_mean", TensorType.f32(channels(x)), ZERO);
            Value runningVar = buffer(name + ".running_var", TensorType.f32(channels(x)), ONE);
            Value batches = buffer(name + ".num_batches_tracked", new TensorType(DType.I64, Shape.of()), ZERO);
            boolean frozen = parameters.isFrozen(name + ".weight") && parameters.isFrozen(name + ".bias");
            return training && !frozen
                    ? norm.applyTraining(graph, x, weight, bias, runningMean, runningVar, batches)
                    : norm.applyInference(graph, x, weight, bias, runningMean, runningVar);
        });
    }

    /** Layer normalization over the last axis. */
    public Value layerNorm(String name, Value x, float eps) {
        LayerNorm norm = new LayerNorm(eps);
        return module(name, "LayerNorm", norm, () -> {
            Value weight = parameter(name + ".weight", ONE, channels(x));
            Value bias = parameter(name + ".bias", ZERO, channels(x));
            return norm.apply(graph, x, weight, bias);
        });
    }

    /** An activation site of the architecture, numbered by the calls of its path. */
    public Value activation(String path, Value x) {
        int call = calls.merge(path, 1, Integer::sum) - 1;
        return activation(path, call, path + "." + call + ".lambda", x);
    }

    /** An activation site whose VeLU shares the lambda of this name with others. */
    Value activation(String path, int call, String lambdaName, Value x) {
        sites.add(new ActivationSite(path, call, x.type().shape(), activation.label()));
        return switch (activation) {
            case Pointwise function -> {
                Value y = pointwise(path, function, x);
                if (measures) {
                    measure(path + "." + call, function, x, y, null);
                }
                yield y;
            }
            case VeluParameters velu -> velu(path, call, lambdaName, velu, x);
        };
    }

    /** Records what an activation does to x, and keeps it as results. a is f(x), for VeLU before lambda. */
    private void measure(String site, ActivationFunction function, Value x, Value a, Value lambda) {
        ActivationStatistics.Output measured =
                graph.within(site, () -> new ActivationStatistics(function).apply(graph, x, a, lambda));
        graph.result(Network.valuesOf(site), measured.values());
        graph.result(Network.countsOf(site), measured.counts());
    }

    /** A function that belongs to the architecture whatever the network's activation is, such as a gate: no activation site. */
    public Value pointwise(String name, Pointwise function, Value x) {
        Activation operation = new Activation(function);
        return module(name, type(function), operation, () -> operation.apply(graph, x));
    }

    private Value velu(String path, int call, String lambdaName, VeluParameters params, Value x) {
        String site = path + "." + call;
        Velu operation = new Velu(params, training && w2 == W2.GAUSSIAN ? w2Weight : 0);
        return module(path, "VeLU", operation, () -> {
            Value lambda = graph.parameter(parameters.declare(new Parameter(
                    lambdaName, TensorType.f32(), Parameter.Role.ACTIVATION, Parameter.Layout.PLAIN, ONE)));
            if (measures || training && w2 != W2.GAUSSIAN) {
                Value a = operation.apply(graph, x, null, false).y();
                Wasserstein.Output output = new Wasserstein(w2, training ? w2Weight : 0).apply(graph, a, lambda);
                graph.result(Network.momentsOf(site), output.moments());
                if (measures) {
                    measure(site, params, x, a, lambda);
                }
                return output.y();
            }
            Velu.Output output = operation.apply(graph, x, lambda, training);
            if (training) {
                graph.result(Network.momentsOf(site), output.moments());
            }
            return output.y();
        });
    }

    /** Sum of two tensors of the same shape. */
    public Value add(String name, Value a, Value b) {
        return graph.within(name, () -> new Add().apply(graph, a, b));
    }

    /** The channels of two tensors beside each other. */
    public Value concat(String name, Value a, Value b) {
        return graph.within(name, () -> new Concat().apply(graph, a, b));
    }

    /** Each channel of an image times its factor: x {@code [N, H, W, C]}, scale {@code [N, 1, 1, C]}. */
    public Value channelScale(String name, Value x, Value scale) {
        return graph.within(name, () -> new ChannelScale().apply(graph, x, scale));
    }

    /** Max pooling with a square window and -inf padding. */
    public Value maxPool2d(String name, Value x, int kernel, int stride, int padding) {
        MaxPool2d pool = MaxPool2d.of(kernel, stride, padding);
        return module(name, "MaxPool2d", pool, () -> pool.apply(graph, x, training));
    }

    /** Average pooling with a square window without padding. */
    public Value avgPool2d(String name, Value x, int kernel, int stride) {
        AvgPool2d pool = AvgPool2d.of(kernel, stride);
        return module(name, "AvgPool2d", pool, () -> pool.apply(graph, x));
    }

    /** Average pooling to a given size: {@code [N, H, W, C]} to {@code [N, size, size, C]}. */
    public Value adaptiveAvgPool2d(String name, Value x, int size) {
        AdaptiveAvgPool2d pool = new AdaptiveAvgPool2d(size, size);
        Shape shape = x.type().shape();
        return module(name, "AdaptiveAvgPool2d", pool, () -> {
            if (shape.size(1) == size && shape.size(2) == size) {
                return x;
            }
            return size == 1
                    ? reshape(new GlobalAvgPool().apply(graph, x), shape.size(0), 1, 1, shape.size(3))
                    : pool.apply(graph, x);
        });
    }

    /** Mean over the pixels: {@code [N, H, W, C]} to {@code [N, C]}. */
    public Value globalAvgPool(String name, Value x) {
        GlobalAvgPool pool = new GlobalAvgPool();
        return module(name, "GlobalAvgPool", pool, () -> pool.apply(graph, x));
    }

    /** Fully connected layer with bias over the last axis; torch's default initialization. */
    public Value linear(String name, Value x, long outFeatures) {
        Initializer initializer = Initializer.torchDefault(channels(x));
        return linear(name, x, outFeatures, initializer, initializer);
    }

    /** Fully connected layer with bias over the last axis. */
    public Value linear(
            String name, Value x, long outFeatures, Initializer weightInitializer, Initializer biasInitializer) {
        return linear(name, ".", x, outFeatures, 1, weightInitializer, biasInitializer);
    }

    /**
     * Fully connected layer with bias over all values of an image: {@code [N, H, W, C]} to {@code [N, out]}. Files have the
     * columns of its weight in the order C, H, W.
     */
    public Value flattenedLinear(
            String name, Value x, long outFeatures, Initializer weightInitializer, Initializer biasInitializer) {
        Shape shape = x.type().shape();
        long pixels = shape.size(1) * shape.size(2);
        Value flat = graph.within(name, () -> reshape(x, shape.size(0), pixels * shape.size(3)));
        return linear(name, ".", flat, outFeatures, pixels, weightInitializer, biasInitializer);
    }

    /** @param separator between the name and {@code weight} or {@code bias} in the parameters' names */
    private Value linear(
            String name,
            String separator,
            Value x,
            long outFeatures,
            long pixels,
            Initializer weightInitializer,
            Initializer biasInitializer) {
        Linear linear = new Linear();
        return module(name, "Linear", linear, () -> {
            Value weight = graph.parameter(parameters.declare(new Parameter(
                    name + separator + "weight",
                    TensorType.f32(outFeatures, channels(x)),
                    Parameter.Role.WEIGHT,
                    Parameter.Layout.flattened(pixels),
                    weightInitializer)));
            Value bias = parameter(name + separator + "bias", biasInitializer, outFeatures);
            return linear.apply(graph, x, weight, bias);
        });
    }

    /**
     * Multi-head self-attention with one projection to queries, keys and values, and one of the result. x {@code [N, T, E]};
     * heads divides E.
     */
    public Value selfAttention(String name, Value x, int heads) {
        long width = channels(x);
        Initializer xavier = Initializer.xavierUniform(width, 3 * width);
        Value qkv = linear(name + ".in_proj", "_", x, 3 * width, 1, xavier, ZERO);
        Attention attention = new Attention(heads);
        Value mixed = module(name + ".attention", "Attention", attention, () -> attention.apply(graph, qkv));
        return linear(name + ".out_proj", mixed, width, Initializer.torchDefault(width), ZERO);
    }

    /** The pixels of an image as tokens: {@code [N, H, W, C]} to {@code [N, H W, C]}. */
    public Value tokens(String name, Value x) {
        Shape shape = x.type().shape();
        return graph.within(name, () -> reshape(x, shape.size(0), shape.size(1) * shape.size(2), shape.size(3)));
    }

    /**
     * Puts a class token before the others and adds what is learned of each position: x {@code [N, P, E]} to
     * {@code [N, P + 1, E]}. Declares {@code <name>.pos_embedding}.
     *
     * @param classToken {@code [1, 1, E]}
     */
    public Value tokenEmbedding(String name, Value x, Value classToken, Initializer positions) {
        TokenEmbedding embedding = new TokenEmbedding();
        return module(name + ".pos_embedding", "TokenEmbedding", embedding, () -> {
            Value position = parameter(
                    name + ".pos_embedding", positions, 1, x.type().shape().size(1) + 1, channels(x));
            return embedding.apply(graph, x, classToken, position);
        });
    }

    /** The class token: {@code [N, T, E]} to {@code [N, E]}. */
    public Value firstToken(String name, Value x) {
        return graph.within(name, () -> new FirstToken().apply(graph, x));
    }

    /** In training, zeroes each element with a probability in [0, 1) and scales the others by {@code 1 / (1 - probability)}. */
    public Value dropout(String name, Value x, double probability) {
        return random(name, "Dropout", x, probability, Dropout.Mode.ELEMENT);
    }

    /** As dropout, but each image of the batch as a whole: of a residual branch, which is then skipped. */
    public Value stochasticDepth(String name, Value x, double probability) {
        return random(name, "StochasticDepth", x, probability, Dropout.Mode.ROW);
    }

    private Value random(String name, String type, Value x, double probability, Dropout.Mode mode) {
        if (probability == 0) {
            return x;
        }
        Dropout dropout = new Dropout((float) probability, seed, randomSites++, mode);
        return module(name, type, dropout, () -> training ? dropout.apply(graph, x, step()) : x);
    }

    private Value step() {
        if (step == null) {
            step = graph.input(Network.STEP, new TensorType(DType.I64, Shape.of()));
        }
        return step;
    }

    /** A trainable F32 tensor of the architecture. */
    public Value parameter(String name, Initializer initializer, long... sizes) {
        return graph.parameter(parameters.declare(new Parameter(
                name, TensorType.f32(sizes), Parameter.Role.WEIGHT, Parameter.Layout.PLAIN, initializer)));
    }

    /** Notes the output of a block or stage. */
    public void stage(String name, Value output) {
        stages.add(new Layer(name, "Stage", null, output.type().shape(), 0, 0));
    }

    /** How the W2 term of the VeLU sites recorded from now on is taken. */
    void regularizeWith(W2 kind) {
        w2 = kind;
    }

    /** Records from now on what every activation site does, as results. */
    void measureActivations() {
        measures = true;
    }

    /** The activation function of the sites recorded from now on. */
    void activateWith(ActivationFunction function) {
        activation = function;
    }

    List<Layer> layers() {
        return List.copyOf(layers);
    }

    List<Layer> stages() {
        return List.copyOf(stages);
    }

    List<ActivationSite> sites() {
        return List.copyOf(sites);
    }

    private Value buffer(String name, TensorType type, Initializer initializer) {
        return graph.parameter(parameters.declare(
                new Parameter(name, type, Parameter.Role.BUFFER, Parameter.Layout.PLAIN, initializer)));
    }

    private Value reshape(Value x, long... sizes) {
        return new Reshape(Shape.of(sizes)).apply(graph, x);
    }

    /** Records a module and notes its output, its parameters and its multiplications. */
    private Value module(String name, String type, Record operation, Supplier<Value> builder) {
        int firstNode = graph.nodes().size();
        Value output = graph.within(name, builder);
        long macs = 0;
        long count = 0;
        for (var node : graph.nodes().subList(firstNode, graph.nodes().size())) {
            macs += node.operation().macs(node.inputTypes(), node.outputTypes());
            for (Value input : node.inputs()) {
                if (input != null
                        && input.parameter() != null
                        && input.parameter().role() == Parameter.Role.WEIGHT) {
                    count += input.type().shape().elements();
                }
            }
        }
        layers.add(new Layer(name, type, operation, output.type().shape(), count, macs));
        return output;
    }

    private static String type(Pointwise function) {
        return switch (function) {
            case RELU -> "ReLU";
            case RELU6 -> "ReLU6";
            case SILU -> "SiLU";
            case GELU -> "GELU";
            case SIGMOID -> "Sigmoid";
        };
    }
}
