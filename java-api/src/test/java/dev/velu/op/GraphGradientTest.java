package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Autodiff;
import dev.velu.graph.Fusion;
import dev.velu.graph.Graph;
import dev.velu.graph.Node;
import dev.velu.graph.Operation;
import dev.velu.graph.Plan;
import dev.velu.graph.Value;
import dev.velu.nn.Initializer;
import dev.velu.nn.Parameter;
import dev.velu.nn.Parameters;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Small graphs, planned and run: the gradient of the loss with respect to everything that goes into them against
 * differences of the loss itself, operation by operation and joined.
 */
class GraphGradientTest {
    private static final int BATCH = 3;
    private static final int CLASSES = 4;
    /** Step along a direction of length 1; truncation and float32's rounding of the loss are then both about 1e-5. */
    private static final float STEP = 0.02f;

    @AutoClose
    private final Context context = open();

    Context open() {
        return Context.open(Device.cpu(), 1, Isa.AUTO);
    }

    /** A graph in the making; all that goes into it is a parameter, so that all of it gets a gradient. */
    private static final class Builder {
        private static final Initializer RANDOM = new Initializer.Normal(0, 0.7f);

        private final Graph graph = new Graph();
        private final Parameters parameters = new Parameters();
        /** Values other than the initializer's. */
        private final Map<Parameter, float[]> given = new HashMap<>();

        Value parameter(String name, long... sizes) {
            Parameter.Layout layout = sizes.length == 4 ? Parameter.Layout.CONVOLUTION : Parameter.Layout.PLAIN;
            return graph.parameter(parameters.declare(
                    new Parameter(name, TensorType.f32(sizes), Parameter.Role.WEIGHT, layout, RANDOM)));
        }

        /**
         * An activation whose arguments lie far from the kinks at 0 and 6, where differences say nothing: small products,
         * and biases that put them below, between and above.
         */
        Value kinked(Pointwise function, Value x) {
            List<Value> inputs = x.producer().inputs();
            float[] weight = Values.normal(3, inputs.get(1).type().shape().elements());
            float[] bias = new float[(int) inputs.get(2).type().shape().elements()];
            for (int i = 0; i < weight.length; i++) {
                weight[i] *= 0.1f;
            }
            for (int i = 0; i < bias.length; i++) {
                bias[i] = 6.5f * (i % 3) - 3;
            }
            given.put(inputs.get(1).parameter(), weight);
            given.put(inputs.get(2).parameter(), bias);
            return activation(function, x);
        }

        Value images() {
            return new Activation(Pointwise.SILU).apply(graph, parameter("x", BATCH, 6, 5, 8));
        }

        Value tokens() {
            return new Activation(Pointwise.SILU).apply(graph, parameter("x", BATCH, 5, 12));
        }

        Value convolution(Conv2d conv, Value x, String name, int out, int kernel, boolean bias) {
            long in = x.type().shape().size(3) / conv.groups();
            return conv.apply(
                    graph,
                    x,
                    parameter(name + ".weight", out, kernel, kernel, in),
                    bias ? parameter(name + ".bias", out) : null);
        }

        Value linear(Value x, String name, int out) {
            return new Linear()
                    .apply(
                            graph,
                            x,
                            parameter(name + ".weight", out, x.type().shape().size(-1)),
                            parameter(name + ".bias", out));
        }

        Value norm(Value x, String name) {
            long channels = x.type().shape().size(-1);
            return new LayerNorm(1e-6f)
                    .apply(graph, x, parameter(name + ".weight", channels), parameter(name + ".bias", channels));
        }

        Value batchNorm(Value x, String name) {
            long channels = x.type().shape().size(-1);
            return BatchNorm.defaults()
                    .applyTraining(
                            graph,
                            x,
                            parameter(name + ".weight", channels),
                            parameter(name + ".bias", channels),
                            null,
                            null,
                            null);
        }

        Value activation(Pointwise function, Value x) {
            return new Activation(function).apply(graph, x);
        }

        Value add(Value a, Value b) {
            return new Add().apply(graph, a, b);
        }

        Value step() {
            return graph.input("step", new TensorType(DType.I64, Shape.of()));
        }

        /** A squeeze and excitation's factors. */
        Value gate(Value x) {
            Value squeezed = new AdaptiveAvgPool2d(1, 1).apply(graph, x);
            Value reduced = convolution(Conv2d.of(1, 0), squeezed, "fc1", 3, 1, true);
            Value channels = convolution(Conv2d.of(1, 0), activation(Pointwise.SILU, reduced), "fc2", 8, 1, true);
            return activation(Pointwise.SIGMOID, channels);
        }

        Value pooled(Value x) {
            return new GlobalAvgPool().apply(graph, x);
        }

        Value mean(Value tokens) {
            Shape shape = tokens.type().shape();
            Shape image = Shape.of(shape.size(0), shape.size(1), 1, shape.size(2));
            return pooled(new Reshape(image).apply(graph, tokens));
        }

        Value firstToken(Value x) {
            return new FirstToken().apply(graph, x);
        }
    }

    /**
     * @param joined operation that fusion must make, or null if it must change nothing
     * @param body from the inputs to features {@code [BATCH, ..]}
     */
    private record Case(String name, Class<? extends Operation> joined, Function<Builder, Value> body) {
        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Case> cases() {
        Conv2d three = Conv2d.of(1, 1);
        Conv2d one = Conv2d.of(1, 0);
        return Stream.of(
                new Case(
                        "attention",
                        null,
                        b -> b.firstToken(new Attention(3).apply(b.graph, b.linear(b.tokens(), "in_proj", 36)))),
                new Case("layer norm", null, b -> b.firstToken(b.norm(b.tokens(), "ln"))),
                new Case("layer norm before another reader", null, b -> {
                    Value x = b.tokens();
                    return b.firstToken(b.add(b.norm(x, "ln"), b.linear(x, "other", 12)));
                }),
                new Case("layer norm behind another reader", null, b -> {
                    Value x = b.tokens();
                    Value other = b.linear(x, "other", 12);
                    return b.firstToken(b.add(other, b.norm(x, "ln")));
                }),
                new Case("layer norm of a sum", LayerNorm.Forward.class, b -> {
                    Value x = b.tokens();
                    return b.firstToken(b.norm(b.add(x, b.linear(x, "other", 12)), "ln"));
                }),
                new Case("layer norm of a sum that is kept", LayerNorm.Forward.class, b -> {
                    Value x = b.tokens();
                    Value sum = b.add(x, b.linear(x, "other", 12));
                    Value inner = b.linear(b.norm(sum, "ln"), "mlp", 12);
                    return b.firstToken(b.norm(b.add(sum, inner), "last"));
                }),
                new Case(
                        "token embedding",
                        null,
                        b -> b.mean(b.linear(
                                new TokenEmbedding()
                                        .apply(
                                                b.graph,
                                                b.tokens(),
                                                b.parameter("class_token", 1, 1, 12),
                                                b.parameter("position", 1, 6, 12)),
                                "mlp",
                                7))),
                new Case("first tokens of attention over embedded patches", null, b -> {
                    Value embedded = new TokenEmbedding()
                            .apply(
                                    b.graph,
                                    b.tokens(),
                                    b.parameter("class_token", 1, 1, 12),
                                    b.parameter("position", 1, 6, 12));
                    return b.firstToken(new Attention(2).apply(b.graph, b.linear(embedded, "in_proj", 36)));
                }),
                new Case(
                        "adaptive average pooling",
                        null,
                        b -> b.pooled(b.convolution(
                                three, new AdaptiveAvgPool2d(4, 3).apply(b.graph, b.images()), "conv", 5, 3, true))),
                new Case("channel scale", null, b -> {
                    Value x = b.images();
                    return b.pooled(
                            b.convolution(three, new ChannelScale().apply(b.graph, x, b.gate(x)), "conv", 5, 3, false));
                }),
                new Case("channel scale and projection", ScaledLinear.Forward.class, b -> {
                    Value x = b.images();
                    Value projected =
                            b.convolution(one, new ChannelScale().apply(b.graph, x, b.gate(x)), "conv", 5, 1, false);
                    return b.pooled(b.activation(Pointwise.GELU, projected));
                }),
                new Case(
                        "convolution and ReLU",
                        Conv2d.Forward.class,
                        b -> b.pooled(b.kinked(Pointwise.RELU, b.convolution(three, b.images(), "conv", 5, 3, true)))),
                new Case(
                        "depthwise convolution and ReLU6",
                        Conv2d.Forward.class,
                        b -> b.pooled(b.kinked(
                                Pointwise.RELU6,
                                b.convolution(new Conv2d(2, 2, 1, 1, 1, 1, 8), b.images(), "conv", 8, 3, true)))),
                new Case(
                        "convolution and SiLU",
                        null,
                        b -> b.pooled(
                                b.activation(Pointwise.SILU, b.convolution(three, b.images(), "conv", 5, 3, true)))),
                new Case(
                        "linear and ReLU",
                        Linear.Forward.class,
                        b -> b.firstToken(b.kinked(Pointwise.RELU, b.linear(b.tokens(), "mlp", 16)))),
                new Case(
                        "linear and GELU",
                        null,
                        b -> b.firstToken(b.activation(Pointwise.GELU, b.linear(b.tokens(), "mlp", 16)))),
                new Case("scaling behind W2", null, b -> {
                    Value a = new Velu(VeluParameters.curve(), 0)
                            .apply(b.graph, b.convolution(three, b.images(), "conv", 5, 3, true), null, false)
                            .y();
                    return b.pooled(new Wasserstein(W2.EMPIRICAL, 0)
                            .apply(b.graph, a, b.parameter("lambda"))
                            .y());
                }),
                new Case("stochastic depth", null, b -> {
                    Value x = b.images();
                    Value branch = b.convolution(three, x, "conv", 8, 3, true);
                    Dropout depth = new Dropout(0.4f, 3, 1, Dropout.Mode.ROW);
                    return b.pooled(b.add(x, depth.apply(b.graph, branch, b.step())));
                }),
                new Case("dense block", null, b -> {
                    Value x = b.convolution(three, b.images(), "stem", 6, 3, false);
                    Value first = b.convolution(three, b.batchNorm(x, "bn1"), "conv1", 4, 3, false);
                    Value both = new Concat().apply(b.graph, x, first);
                    Value second = b.convolution(three, b.batchNorm(both, "bn2"), "conv2", 4, 3, false);
                    return b.pooled(b.batchNorm(new Concat().apply(b.graph, both, second), "bn3"));
                }));
    }

    /** A planned graph with its parameters. */
    private final class Network implements AutoCloseable {
        private final Builder builder = new Builder();
        private final Map<Parameter, Value> differentiated;
        private final Plan plan;

        Network(Case c, boolean fused) {
            Value features = c.body.apply(builder);
            Value labels = builder.graph.input("labels", new TensorType(DType.I32, Shape.of(BATCH)));
            Value loss =
                    new SoftmaxCrossEntropy(0).apply(builder.graph, builder.linear(features, "head", CLASSES), labels);
            builder.graph.result("loss", loss);
            if (fused) {
                int before = builder.graph.nodes().size();
                Fusion.fuse(builder.graph, true);
                assertThat(builder.graph.nodes().size() < before).as("joined").isEqualTo(c.joined != null);
                if (c.joined != null) {
                    assertThat(builder.graph.nodes().stream().map(Node::operation))
                            .hasAtLeastOneElementOfType(c.joined);
                }
            }
            differentiated = Autodiff.differentiate(builder.graph, loss);
            builder.parameters.allocate(context, true);
            builder.parameters.initialize(5);
            builder.given.forEach((parameter, values) ->
                    context.upload(MemorySegment.ofArray(values), builder.parameters.segment(parameter)));
            plan = Plan.of(builder.graph, builder.parameters, context);
            context.upload(MemorySegment.ofArray(new int[] {0, 3, 2}), plan.input("labels"));
        }

        float loss() {
            plan.run();
            return floats(plan.result("loss"))[0];
        }

        Map<String, float[]> gradients() {
            loss();
            Map<String, float[]> gradients = new LinkedHashMap<>();
            for (Parameter p : differentiated.keySet()) {
                gradients.put(p.name(), floats(builder.parameters.gradient(p)));
            }
            return gradients;
        }

        /** The difference quotient of the loss along a direction of length 1. */
        double slope(Parameter parameter, float[] direction) {
            MemorySegment memory = builder.parameters.segment(parameter);
            float[] point = floats(memory);
            double[] losses = new double[2];
            for (int side = 0; side < 2; side++) {
                float[] moved = point.clone();
                for (int i = 0; i < moved.length; i++) {
                    moved[i] += (side == 0 ? STEP : -STEP) * direction[i];
                }
                context.upload(MemorySegment.ofArray(moved), memory);
                losses[side] = loss();
            }
            context.upload(MemorySegment.ofArray(point), memory);
            return (losses[0] - losses[1]) / (2 * STEP);
        }

        @Override
        public void close() {
            plan.close();
        }
    }

    /** The content of device memory. */
    private float[] floats(MemorySegment memory) {
        float[] values = new float[Math.toIntExact(memory.byteSize() / Float.BYTES)];
        context.download(memory, MemorySegment.ofArray(values));
        return values;
    }

    private static double dot(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += (double) a[i] * b[i];
        }
        return sum;
    }

    private static float[] unit(float[] direction) {
        double length = Math.max(1e-12, Math.sqrt(dot(direction, direction)));
        float[] unit = new float[direction.length];
        for (int i = 0; i < unit.length; i++) {
            unit[i] = (float) (direction[i] / length);
        }
        return unit;
    }

    private void compareWithDifferences(Case c, boolean fused) {
        try (Network network = new Network(c, fused)) {
            Map<String, float[]> gradients = network.gradients();
            for (Parameter p : network.differentiated.keySet()) {
                float[] gradient = gradients.get(p.name());
                // Along itself a gradient shows its length, along others that its direction is right.
                for (float[] direction : new float[][] {
                    unit(gradient), unit(Values.normal(1, gradient.length)), unit(Values.normal(2, gradient.length))
                }) {
                    double expected = network.slope(p, direction);
                    assertThat(dot(gradient, direction))
                            .as(p.name())
                            .isCloseTo(expected, within(2e-4 + 0.01 * Math.abs(expected)));
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void gradientsAreThoseOfTheLoss(Case c) {
        compareWithDifferences(c, false);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void gradientsOfWhatIsJoinedAreThoseOfTheLoss(Case c) {
        compareWithDifferences(c, true);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void everythingThatGoesInGetsAGradient(Case c) {
        try (Network network = new Network(c, true)) {
            Map<String, float[]> gradients = network.gradients();
            assertThat(network.differentiated.keySet())
                    .containsExactlyInAnyOrderElementsOf(network.builder.parameters.all());
            gradients.forEach((name, gradient) -> {
                // Softmax and batch norm take what is added to all alike away again.
                if (!name.equals("in_proj.bias")) {
                    assertThat(dot(gradient, gradient)).as(name).isPositive();
                }
            });
        }
    }

    private float[] inference(Function<Builder, Value> body, boolean fused) {
        Builder builder = new Builder();
        builder.graph.result("y", body.apply(builder));
        if (fused) {
            int before = builder.graph.nodes().size();
            Fusion.fuse(builder.graph, false);
            assertThat(builder.graph.nodes().size()).isLessThan(before);
        }
        builder.parameters.allocate(context, false);
        builder.parameters.initialize(5);
        try (Plan plan = Plan.of(builder.graph, builder.parameters, context)) {
            plan.run();
            return floats(plan.result("y"));
        }
    }

    @Test
    void joinedForInferenceGivesTheSame() {
        Function<Builder, Value> body = b -> {
            Value x = b.images();
            Value wide = b.activation(Pointwise.GELU, b.convolution(Conv2d.of(1, 1), x, "expand", 8, 3, true));
            Value projected = b.convolution(
                    Conv2d.of(1, 0), new ChannelScale().apply(b.graph, wide, b.gate(wide)), "project", 8, 1, false);
            return b.activation(Pointwise.SILU, b.linear(b.pooled(projected), "mlp", 16));
        };
        assertThat(inference(body, true)).containsExactly(inference(body, false), within(1e-5f));
    }
}
