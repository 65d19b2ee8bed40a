package dev.velu.models;

import dev.velu.graph.Graph;
import dev.velu.graph.Value;
import dev.velu.nn.Initializer;
import dev.velu.nn.Parameter;
import dev.velu.nn.Parameters;
import dev.velu.op.Activation;
import dev.velu.op.ActivationFunction;
import dev.velu.op.Add;
import dev.velu.op.BatchNorm;
import dev.velu.op.Conv2d;
import dev.velu.op.GlobalAvgPool;
import dev.velu.op.Linear;
import dev.velu.op.MaxPool2d;
import dev.velu.op.Pointwise;
import dev.velu.op.Velu;
import dev.velu.op.VeluParameters;
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

    private final Graph graph;
    private final Parameters parameters;
    private final boolean training;
    private final float w2Weight;
    private final List<Layer> layers = new ArrayList<>();
    private final List<Layer> stages = new ArrayList<>();
    private final List<ActivationSite> sites = new ArrayList<>();
    private final Map<String, Integer> calls = new HashMap<>();
    private ActivationFunction activation;

    /**
     * @param training whether batch norm uses the batch's statistics and VeLU's moments are kept
     * @param activation the activation function of the sites that follow
     * @param w2Weight weight of the Wasserstein-2 term of every VeLU site
     */
    NetworkBuilder(
            Graph graph, Parameters parameters, boolean training, ActivationFunction activation, float w2Weight) {
        this.graph = graph;
        this.parameters = parameters;
        this.training = training;
        this.activation = activation;
        this.w2Weight = w2Weight;
    }

    /** Size of the last axis. */
    static long channels(Value x) {
        return x.type().shape().size(-1);
    }

    /** Convolution without bias, square kernel; He initialization by fan-out. x {@code [N, H, W, C]}. */
    public Value conv2d(String name, Value x, long outChannels, int kernel, int stride, int padding) {
        return module(name, "Conv2d", x, () -> {
            Parameter weight = parameters.declare(new Parameter(
                    name + ".weight",
                    TensorType.f32(outChannels, kernel, kernel, channels(x)),
                    Parameter.Role.WEIGHT,
                    Parameter.Layout.CONVOLUTION,
                    Initializer.heNormal(outChannels * kernel * kernel)));
            return Conv2d.of(stride, padding).apply(graph, x, graph.parameter(weight), null);
        });
    }

    /** Batch normalization, eps 1e-5, momentum 0.1. x {@code [N, H, W, C]} or {@code [N, C]}. */
    public Value batchNorm(String name, Value x) {
        return module(name, "BatchNorm2d", x, () -> {
            Value weight = vector(name + ".weight", channels(x), Parameter.Role.WEIGHT, 1);
            Value bias = vector(name + ".bias", channels(x), Parameter.Role.WEIGHT, 0);
            Value runningMean = vector(name + ".running_mean", channels(x), Parameter.Role.BUFFER, 0);
            Value runningVar = vector(name + ".running_var", channels(x), Parameter.Role.BUFFER, 1);
            Value batches = graph.parameter(parameters.declare(new Parameter(
                    name + ".num_batches_tracked",
                    new TensorType(DType.I64, Shape.of()),
                    Parameter.Role.BUFFER,
                    Parameter.Layout.PLAIN,
                    new Initializer.Constant(0))));
            BatchNorm norm = BatchNorm.of(BATCH_NORM_EPS, BATCH_NORM_MOMENTUM);
            return training
                    ? norm.applyTraining(graph, x, weight, bias, runningMean, runningVar, batches)
                    : norm.applyInference(graph, x, weight, bias, runningMean, runningVar);
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
        return module(path, label(activation), x, () -> switch (activation) {
            case Pointwise function -> new Activation(function).apply(graph, x);
            case VeluParameters velu -> velu(path + "." + call, lambdaName, velu, x);
        });
    }

    private Value velu(String site, String lambdaName, VeluParameters velu, Value x) {
        Parameter lambda = parameters.declare(new Parameter(
                lambdaName,
                TensorType.f32(),
                Parameter.Role.ACTIVATION,
                Parameter.Layout.PLAIN,
                new Initializer.Constant(1)));
        if (!training) {
            return new Velu(velu, 0)
                    .apply(graph, x, graph.parameter(lambda), false)
                    .y();
        }
        Velu.Output output = new Velu(velu, w2Weight).apply(graph, x, graph.parameter(lambda));
        graph.result(Network.momentsOf(site), output.moments());
        return output.y();
    }

    /** Sum of two tensors of the same shape. */
    public Value add(String name, Value a, Value b) {
        return graph.within(name, () -> new Add().apply(graph, a, b));
    }

    /** Max pooling with a square window and -inf padding. */
    public Value maxPool2d(String name, Value x, int kernel, int stride, int padding) {
        return module(
                name,
                "MaxPool2d",
                x,
                () -> MaxPool2d.of(kernel, stride, padding).apply(graph, x, training));
    }

    /** Mean over the pixels: {@code [N, H, W, C]} to {@code [N, C]}. */
    public Value globalAvgPool(String name, Value x) {
        return module(name, "GlobalAvgPool", x, () -> new GlobalAvgPool().apply(graph, x));
    }

    /** Fully connected layer with bias; torch's default initialization. x {@code [N, C]}. */
    public Value linear(String name, Value x, long outFeatures) {
        return module(name, "Linear", x, () -> {
            long inFeatures = channels(x);
            Initializer initializer = Initializer.torchDefault(inFeatures);
            Value weight = graph.parameter(parameters.declare(new Parameter(
                    name + ".weight",
                    TensorType.f32(outFeatures, inFeatures),
                    Parameter.Role.WEIGHT,
                    Parameter.Layout.PLAIN,
                    initializer)));
            Value bias = graph.parameter(parameters.declare(new Parameter(
                    name + ".bias",
                    TensorType.f32(outFeatures),
                    Parameter.Role.WEIGHT,
                    Parameter.Layout.PLAIN,
                    initializer)));
            return new Linear().apply(graph, x, weight, bias);
        });
    }

    /** Notes the output of a block or stage. */
    public void stage(String name, Value output) {
        stages.add(new Layer(name, "Stage", output.type().shape(), 0, 0));
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

    private Value vector(String name, long size, Parameter.Role role, double value) {
        return graph.parameter(parameters.declare(new Parameter(
                name, TensorType.f32(size), role, Parameter.Layout.PLAIN, new Initializer.Constant(value))));
    }

    /** Records a module and notes its output, its parameters and its multiplications. */
    private Value module(String name, String type, Value x, Supplier<Value> builder) {
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
        layers.add(new Layer(name, type, output.type().shape(), count, macs));
        return output;
    }

    private static String label(ActivationFunction function) {
        return switch (function) {
            case Pointwise.RELU -> "ReLU";
            case Pointwise.RELU6 -> "ReLU6";
            case Pointwise.SILU -> "SiLU";
            case Pointwise.GELU -> "GELU";
            case VeluParameters velu -> "VeLU";
        };
    }
}
