package dev.velu.models;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.training.GradientCollector;
import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Autodiff;
import dev.velu.graph.Fusion;
import dev.velu.graph.Graph;
import dev.velu.graph.Plan;
import dev.velu.graph.Value;
import dev.velu.models.libtorch.Deviation;
import dev.velu.models.libtorch.Libtorch;
import dev.velu.models.libtorch.LibtorchVelu;
import dev.velu.nn.Initializer;
import dev.velu.nn.Parameter;
import dev.velu.nn.Parameters;
import dev.velu.op.Activation;
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
import dev.velu.op.PoolWindow;
import dev.velu.op.Reshape;
import dev.velu.op.SoftmaxCrossEntropy;
import dev.velu.op.TokenEmbedding;
import dev.velu.op.Velu;
import dev.velu.op.VeluParameters;
import dev.velu.selftest.oracle.PhiloxOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Each operation alone, on odd shapes, against libtorch in float64: its output, and the gradients of its inputs below a linear
 * layer and a cross-entropy that are the same for all.
 */
class OperationLibtorchTest {
    /** Of 2-norm and of the largest element: some 30 roundings of float32; the largest seen is 1.4e-6. */
    private static final double TOLERANCE = 2e-6;

    /** Where some x lie near VeLU's clip: there the slope of asin magnifies the rounding of {@code 1 - beta2 x}; 2.9e-6 seen. */
    private static final double TOLERANCE_AT_THE_CLIP = 6e-6;

    private static final int CLASSES = 3;
    private static final long SEED = 11;
    private static final long STEP = 0x1_0000_0002L;

    private static Context context;

    @BeforeAll
    static void openContext() {
        context = Context.open(Device.cpu(), 2, Isa.AUTO);
    }

    @AfterAll
    static void closeContext() {
        context.close();
    }

    /** A tensor that the operation reads, of normal values, in the project's own layout. */
    private record Operand(Parameter.Role role, double mean, double std, long... shape) {
        static Operand normal(long... shape) {
            return new Operand(Parameter.Role.WEIGHT, 0, 1, shape);
        }

        static Operand weight(long fan, long... shape) {
            return new Operand(Parameter.Role.WEIGHT, 0, 1 / Math.sqrt(fan), shape);
        }

        static Operand around(double mean, long... shape) {
            return new Operand(Parameter.Role.WEIGHT, mean, 0.2, shape);
        }

        static Operand buffer(double mean, long... shape) {
            return new Operand(Parameter.Role.BUFFER, mean, 0.2, shape);
        }

        Operand times(double factor) {
            return new Operand(role, mean * factor, std * factor, shape);
        }
    }

    /** Records an operation; inputs are the operands and the number of the step. */
    private interface Recorded {
        Value apply(Graph graph, List<Value> operands, Value step);
    }

    /** The same in libtorch, in the project's layout. */
    private interface Expected {
        NDArray apply(Libtorch torch, List<NDArray> operands, List<NDArray> penalties);
    }

    private record Case(String name, List<Operand> operands, Recorded recorded, Expected expected, double tolerance) {
        Case(String name, List<Operand> operands, Recorded recorded, Expected expected) {
            this(name, operands, recorded, expected, TOLERANCE);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    @ParameterizedTest
    @MethodSource({"convolutions", "normalizations", "pools", "tokens", "linearAndElements", "activations", "velu"})
    void anOperationAndItsGradientsAreLibtorchs(Case operation) {
        Graph graph = new Graph();
        Parameters parameters = new Parameters();
        List<Parameter> declared = new ArrayList<>();
        List<Value> values = new ArrayList<>();
        for (Operand operand : operation.operands()) {
            Parameter parameter = declare(parameters, "operand" + declared.size(), operand);
            declared.add(parameter);
            values.add(graph.parameter(parameter));
        }
        Value step = graph.input("step", new TensorType(DType.I64, Shape.of()));
        Value y = operation.recorded().apply(graph, values, step);
        int rows = Math.toIntExact(y.type().shape().size(0));
        long features = y.type().shape().elements() / rows;
        Operand head = Operand.weight(features, CLASSES, features);
        Parameter headWeight = declare(parameters, "head", head);
        declared.add(headWeight);
        Value flat = new Reshape(Shape.of(rows, features)).apply(graph, y);
        Value logits = new Linear().apply(graph, flat, graph.parameter(headWeight), null);
        Value labels = graph.input("labels", new TensorType(DType.I32, Shape.of(rows)));
        Value loss = graph.result("loss", new SoftmaxCrossEntropy(0).apply(graph, logits, labels));
        Fusion.fuse(graph, true);
        Autodiff.differentiate(graph, loss);
        graph.result("y", y);
        parameters.allocate(context, true);
        fill(parameters, operation.operands(), declared, head);
        int[] classes = new Random(SEED).ints(rows, 0, CLASSES).toArray();

        List<String> violations = new ArrayList<>();
        try (Plan plan = Plan.of(graph, parameters, context);
                Libtorch torch = new Libtorch()) {
            List<NDArray> operands = new ArrayList<>();
            for (Parameter parameter : declared) {
                NDArray view = plain(torch, parameter, parameters.segment(parameter));
                operands.add(parameter.trainable() ? torch.variable(view) : torch.copy(view));
            }
            context.upload(MemorySegment.ofArray(new long[] {STEP}), plan.input("step"));
            context.upload(MemorySegment.ofArray(classes), plan.input("labels"));
            plan.run();

            List<NDArray> penalties = new ArrayList<>();
            NDArray expected;
            try (GradientCollector gradients = torch.collectGradients()) {
                expected = operation.expected().apply(torch, operands, penalties);
                NDArray scores = Libtorch.linear(expected.reshape(rows, features), operands.getLast(), null);
                NDArray total = torch.crossEntropy(scores, classes, 0);
                for (NDArray penalty : penalties) {
                    total = total.add(penalty);
                }
                gradients.backward(total);
            }
            check(
                    violations,
                    "y",
                    torch.view(plan.result("y"), y.type().shape().toArray()),
                    expected,
                    operation.tolerance());
            for (int i = 0; i < declared.size(); i++) {
                Parameter parameter = declared.get(i);
                NDArray operand = operands.get(i);
                if (parameter.trainable()) {
                    MemorySegment gradient = parameters.gradient(parameter);
                    check(
                            violations,
                            "gradient of " + parameter.name(),
                            plain(torch, parameter, gradient),
                            operand.getGradient(),
                            operation.tolerance());
                } else {
                    MemorySegment updated = parameters.segment(parameter);
                    check(
                            violations,
                            parameter.name(),
                            plain(torch, parameter, updated),
                            operand,
                            operation.tolerance());
                }
            }
        }
        assertThat(violations).isEmpty();
    }

    private static Parameter declare(Parameters parameters, String name, Operand operand) {
        return parameters.declare(new Parameter(
                name,
                TensorType.f32(operand.shape()),
                operand.role(),
                Parameter.Layout.PLAIN,
                new Initializer.Constant(0)));
    }

    private static void fill(Parameters parameters, List<Operand> operands, List<Parameter> declared, Operand head) {
        Random random = new Random(SEED);
        for (int i = 0; i < declared.size(); i++) {
            Operand operand = i < operands.size() ? operands.get(i) : head;
            MemorySegment memory = parameters.segment(declared.get(i));
            for (long e = 0; e < memory.byteSize() / Float.BYTES; e++) {
                memory.setAtIndex(
                        ValueLayout.JAVA_FLOAT, e, (float) (operand.mean() + operand.std() * random.nextGaussian()));
            }
        }
    }

    private static NDArray plain(Libtorch torch, Parameter parameter, MemorySegment memory) {
        return torch.view(memory, parameter.type().shape().toArray());
    }

    private static void check(
            List<String> violations, String what, NDArray actual, NDArray expected, double tolerance) {
        Deviation deviation = Deviation.of(actual, expected);
        if (!deviation.within(tolerance)) {
            violations.add(what + ": " + deviation);
        }
    }

    private static NDArray nchw(NDArray x) {
        return x.transpose(0, 3, 1, 2);
    }

    private static NDArray nhwc(NDArray x) {
        return x.transpose(0, 2, 3, 1);
    }

    static Stream<Case> convolutions() {
        return Stream.of(
                conv2d(new Conv2d(1, 1, 0, 0, 1, 1, 1), 3, 7, 9, 5, 7, 1, 1, false),
                conv2d(new Conv2d(1, 1, 1, 1, 1, 1, 1), 3, 7, 9, 5, 7, 3, 3, true),
                conv2d(new Conv2d(2, 2, 3, 3, 1, 1, 1), 2, 13, 11, 3, 33, 7, 7, false),
                conv2d(new Conv2d(2, 1, 1, 2, 1, 1, 1), 2, 8, 9, 17, 5, 3, 5, true),
                conv2d(new Conv2d(1, 2, 2, 4, 2, 3, 1), 2, 9, 11, 4, 6, 3, 3, true),
                conv2d(new Conv2d(16, 16, 0, 0, 1, 1, 1), 2, 32, 48, 3, 31, 16, 16, true),
                conv2d(new Conv2d(1, 1, 1, 1, 1, 1, 3), 2, 5, 7, 6, 9, 3, 3, true),
                conv2d(new Conv2d(1, 1, 1, 1, 1, 1, 33), 2, 5, 7, 33, 33, 3, 3, false),
                conv2d(new Conv2d(2, 2, 2, 2, 1, 1, 31), 3, 7, 5, 31, 31, 5, 5, false));
    }

    private static Case conv2d(
            Conv2d conv2d,
            long batch,
            long height,
            long width,
            long in,
            long out,
            long kernelHeight,
            long kernelWidth,
            boolean bias) {
        long fan = kernelHeight * kernelWidth * in / conv2d.groups();
        List<Operand> operands = new ArrayList<>(List.of(
                Operand.normal(batch, height, width, in),
                Operand.weight(fan, out, kernelHeight, kernelWidth, in / conv2d.groups())));
        if (bias) {
            operands.add(Operand.normal(out));
        }
        return new Case(
                String.format(
                        Locale.ROOT,
                        "%d x %d %s of [%d, %d, %d, %d] to %d",
                        kernelHeight,
                        kernelWidth,
                        conv2d,
                        batch,
                        height,
                        width,
                        in,
                        out),
                operands,
                (graph, v, step) -> conv2d.apply(graph, v.get(0), v.get(1), bias ? v.get(2) : null),
                (torch, v, penalties) -> {
                    NDArray y = Libtorch.conv2d(
                            nchw(v.get(0)),
                            nchw(v.get(1)),
                            new long[] {conv2d.strideHeight(), conv2d.strideWidth()},
                            new long[] {conv2d.paddingHeight(), conv2d.paddingWidth()},
                            new long[] {conv2d.dilationHeight(), conv2d.dilationWidth()},
                            conv2d.groups());
                    return nhwc(bias ? y.add(v.get(2).reshape(1, out, 1, 1)) : y);
                });
    }

    static Stream<Case> normalizations() {
        return Stream.of(
                batchNorm(3, 5, 7, 33),
                batchNorm(2, 1, 2, 257),
                batchNorm(17, 31),
                layerNorm(2, 5, 31),
                layerNorm(3, 257),
                layerNorm(1, 7, 3));
    }

    private static Case batchNorm(long... shape) {
        long channels = shape[shape.length - 1];
        BatchNorm norm = BatchNorm.of(1e-5f, 0.1f);
        return new Case(
                norm + " of " + Arrays.toString(shape),
                List.of(
                        Operand.normal(shape),
                        Operand.around(1, channels),
                        Operand.around(0, channels),
                        Operand.buffer(0, channels),
                        Operand.buffer(1, channels)),
                (graph, v, step) -> norm.applyTraining(graph, v.get(0), v.get(1), v.get(2), v.get(3), v.get(4), null),
                (torch, v, penalties) -> {
                    NDArray x = v.get(0);
                    boolean images = shape.length == 4;
                    NDArray y =
                            Libtorch.batchNorm(images ? nchw(x) : x, v.get(1), v.get(2), v.get(3), v.get(4), 0.1, 1e-5);
                    return images ? nhwc(y) : y;
                });
    }

    private static Case layerNorm(long... shape) {
        long channels = shape[shape.length - 1];
        LayerNorm norm = new LayerNorm(1e-6f);
        return new Case(
                norm + " of " + Arrays.toString(shape),
                List.of(Operand.normal(shape), Operand.around(1, channels), Operand.around(0, channels)),
                (graph, v, step) -> norm.apply(graph, v.get(0), v.get(1), v.get(2)),
                (torch, v, penalties) -> Libtorch.layerNorm(v.get(0), v.get(1), v.get(2), 1e-6));
    }

    static Stream<Case> pools() {
        return Stream.of(
                maxPool2d(new PoolWindow(3, 3, 2, 2, 1, 1), 2, 7, 9, 5),
                maxPool2d(new PoolWindow(2, 2, 2, 2, 0, 0), 3, 7, 5, 33),
                maxPool2d(new PoolWindow(3, 2, 1, 3, 1, 0), 2, 6, 8, 31),
                avgPool2d(new AvgPool2d(new PoolWindow(2, 2, 2, 2, 0, 0), true), 3, 7, 5, 33),
                avgPool2d(new AvgPool2d(new PoolWindow(3, 3, 2, 2, 1, 1), true), 2, 7, 9, 5),
                avgPool2d(new AvgPool2d(new PoolWindow(3, 2, 1, 2, 1, 1), false), 2, 7, 9, 31),
                adaptiveAvgPool2d(new AdaptiveAvgPool2d(3, 2), 2, 5, 7, 31),
                adaptiveAvgPool2d(new AdaptiveAvgPool2d(7, 7), 2, 1, 1, 33),
                adaptiveAvgPool2d(new AdaptiveAvgPool2d(7, 7), 2, 4, 9, 5),
                adaptiveAvgPool2d(new AdaptiveAvgPool2d(7, 7), 1, 7, 7, 17),
                new Case(
                        "GlobalAvgPool of [3, 5, 7, 33]",
                        List.of(Operand.normal(3, 5, 7, 33)),
                        (graph, v, step) -> new GlobalAvgPool().apply(graph, v.get(0)),
                        (torch, v, penalties) ->
                                Libtorch.adaptiveAvgPool2d(nchw(v.get(0)), 1, 1).flatten(1, -1)));
    }

    private static Case maxPool2d(PoolWindow window, long... shape) {
        return new Case(
                "MaxPool2d " + window + " of " + Arrays.toString(shape),
                List.of(Operand.normal(shape)),
                (graph, v, step) -> new MaxPool2d(window).apply(graph, v.get(0)),
                (torch, v, penalties) ->
                        nhwc(Libtorch.maxPool2d(nchw(v.get(0)), kernel(window), stride(window), padding(window))));
    }

    private static Case avgPool2d(AvgPool2d pool, long... shape) {
        PoolWindow window = pool.window();
        return new Case(
                pool + " of " + Arrays.toString(shape),
                List.of(Operand.normal(shape)),
                (graph, v, step) -> pool.apply(graph, v.get(0)),
                (torch, v, penalties) -> nhwc(Libtorch.avgPool2d(
                        nchw(v.get(0)), kernel(window), stride(window), padding(window), pool.countIncludePad())));
    }

    private static long[] kernel(PoolWindow window) {
        return new long[] {window.kernelHeight(), window.kernelWidth()};
    }

    private static long[] stride(PoolWindow window) {
        return new long[] {window.strideHeight(), window.strideWidth()};
    }

    private static long[] padding(PoolWindow window) {
        return new long[] {window.paddingHeight(), window.paddingWidth()};
    }

    private static Case adaptiveAvgPool2d(AdaptiveAvgPool2d pool, long... shape) {
        return new Case(
                pool + " of " + Arrays.toString(shape),
                List.of(Operand.normal(shape)),
                (graph, v, step) -> pool.apply(graph, v.get(0)),
                (torch, v, penalties) ->
                        nhwc(Libtorch.adaptiveAvgPool2d(nchw(v.get(0)), pool.outHeight(), pool.outWidth())));
    }

    static Stream<Case> tokens() {
        return Stream.of(
                attention(1, 2, 1, 5),
                attention(3, 2, 7, 15),
                attention(2, 1, 33, 64),
                attention(4, 3, 65, 68),
                new Case(
                        "TokenEmbedding of [3, 5, 33]",
                        List.of(Operand.normal(3, 5, 33), Operand.normal(1, 1, 33), Operand.normal(1, 6, 33)),
                        (graph, v, step) -> new TokenEmbedding().apply(graph, v.get(0), v.get(1), v.get(2)),
                        (torch, v, penalties) -> Libtorch.cat(1, v.get(1).broadcast(3, 1, 33), v.get(0))
                                .add(v.get(2))),
                new Case(
                        "FirstToken of [3, 5, 33]",
                        List.of(Operand.normal(3, 5, 33)),
                        (graph, v, step) -> new FirstToken().apply(graph, v.get(0)),
                        (torch, v, penalties) -> v.get(0).get(":, 0")));
    }

    private static Case attention(int heads, long batch, long tokens, long width) {
        return new Case(
                "Attention with " + heads + " heads of [" + batch + ", " + tokens + ", 3 x " + width + "]",
                List.of(Operand.normal(batch, tokens, 3 * width)),
                (graph, v, step) -> new Attention(heads).apply(graph, v.get(0)),
                (torch, v, penalties) -> Libtorch.attention(v.get(0), heads, 1 / Math.sqrt((double) width / heads)));
    }

    static Stream<Case> linearAndElements() {
        return Stream.of(
                linear(true, 9, 3, 31),
                linear(false, 17, 5, 257),
                linear(true, 33, 2, 5, 31),
                dropout(new Dropout(0.5f, SEED, 3, Dropout.Mode.ELEMENT), 3, 257),
                dropout(new Dropout(0.2f, SEED, 0, Dropout.Mode.ELEMENT), 2, 5, 7, 3),
                dropout(new Dropout(0.3f, -SEED, 1, Dropout.Mode.ROW), 9, 3, 5, 7),
                new Case(
                        "SiLU, Add and Concat of [2, 3, 5, 31] and [2, 3, 5, 33]",
                        List.of(Operand.normal(2, 3, 5, 31), Operand.normal(2, 3, 5, 31), Operand.normal(2, 3, 5, 33)),
                        (graph, v, step) -> new Concat()
                                .apply(graph, new Add().apply(graph, v.get(0), silu(graph, v.get(1))), v.get(2)),
                        (torch, v, penalties) -> Libtorch.cat(3, v.get(0).add(Libtorch.silu(v.get(1))), v.get(2))),
                new Case(
                        "ChannelScale of [3, 5, 7, 33]",
                        List.of(Operand.normal(3, 5, 7, 33), Operand.around(0.5, 3, 1, 1, 33)),
                        (graph, v, step) -> new ChannelScale().apply(graph, v.get(0), v.get(1)),
                        (torch, v, penalties) -> v.get(0).mul(v.get(1))),
                new Case(
                        "ChannelScale and 1 x 1 convolution of [3, 5, 7, 33]",
                        List.of(
                                Operand.normal(3, 5, 7, 33),
                                Operand.around(0.5, 3, 1, 1, 33),
                                Operand.weight(33, 17, 1, 1, 33)),
                        (graph, v, step) -> Conv2d.of(1, 0)
                                .apply(graph, new ChannelScale().apply(graph, v.get(0), v.get(1)), v.get(2), null),
                        (torch, v, penalties) ->
                                Libtorch.linear(v.get(0).mul(v.get(1)), v.get(2).reshape(17, 33), null)));
    }

    private static Value silu(Graph graph, Value x) {
        return new Activation(Pointwise.SILU).apply(graph, x);
    }

    private static Case linear(boolean bias, long out, long... shape) {
        long in = shape[shape.length - 1];
        List<Operand> operands = new ArrayList<>(List.of(Operand.normal(shape), Operand.weight(in, out, in)));
        if (bias) {
            operands.add(Operand.normal(out));
        }
        return new Case(
                "Linear " + (bias ? "with" : "without") + " bias of " + Arrays.toString(shape) + " to " + out,
                operands,
                (graph, v, step) -> new Linear().apply(graph, v.get(0), v.get(1), bias ? v.get(2) : null),
                (torch, v, penalties) -> Libtorch.linear(v.get(0), v.get(1), bias ? v.get(2) : null));
    }

    private static Case dropout(Dropout dropout, long... shape) {
        long[] mask = shape.clone();
        if (dropout.mode() == Dropout.Mode.ROW) {
            Arrays.fill(mask, 1, mask.length, 1);
        }
        return new Case(
                dropout + " of " + Arrays.toString(shape),
                List.of(Operand.normal(shape)),
                (graph, v, step) -> dropout.apply(graph, v.get(0), step),
                (torch, v, penalties) -> {
                    int count = Math.toIntExact(Arrays.stream(mask).reduce(1, (a, b) -> a * b));
                    boolean[] kept =
                            PhiloxOracle.kept(dropout.seed(), dropout.stream(), STEP, count, dropout.probability());
                    double[] factors = new double[count];
                    Arrays.setAll(factors, i -> kept[i] ? 1 / (1 - (double) dropout.probability()) : 0);
                    return v.get(0).mul(torch.constant(factors, mask));
                });
    }

    static Stream<Case> activations() {
        return Arrays.stream(Pointwise.values())
                .map(function -> new Case(
                        function + " of [3, 5, 31]",
                        List.of(Operand.normal(3, 5, 31).times(4)),
                        (graph, v, step) -> new Activation(function).apply(graph, v.get(0)),
                        (torch, v, penalties) -> Libtorch.activation(function.label(), v.get(0))));
    }

    static Stream<Case> velu() {
        VeluParameters released = VeluParameters.released();
        VeluParameters curve = VeluParameters.curve();
        VeluParameters std = new VeluParameters(
                0.8f,
                0.5f,
                0.6f,
                0.3f,
                1.2f,
                1e-6f,
                VeluParameters.Statistic.STD,
                new VeluParameters.Clamp(0.5f, 1.2f));
        return Stream.of(
                velu("released", new Velu(released, 0.1f), 6, 2, 5, 7, 33),
                velu("released", new Velu(released, 0), 1, 17, 257),
                velu("released", new Velu(released, 0.1f), 1, 5, 3, 1),
                velu("curve", new Velu(curve, 0.1f), 1, 3, 5, 31),
                velu("curve", new Velu(curve, 0), 1, 2, 3, 5, 257),
                velu("std and clamp", new Velu(std, 0.1f), 1, 3, 5, 31));
    }

    private static Case velu(String name, Velu velu, double scale, long... shape) {
        return new Case(
                String.format(
                        Locale.ROOT, "VeLU %s, W2 weight %s, of %s", name, velu.w2Weight(), Arrays.toString(shape)),
                List.of(Operand.normal(shape).times(scale), Operand.around(0.8)),
                (graph, v, step) -> velu.apply(graph, v.get(0), v.get(1)).y(),
                (torch, v, penalties) -> {
                    LibtorchVelu.Output output =
                            new LibtorchVelu(velu.params()).apply(v.get(0), shape.length - 1, v.get(1));
                    penalties.add(Libtorch.times(output.w2(), velu.w2Weight()));
                    return output.y();
                },
                scale * velu.params().beta2() > 0.5 ? TOLERANCE_AT_THE_CLIP : TOLERANCE);
    }
}
