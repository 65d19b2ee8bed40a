package dev.velu.models;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Fusion;
import dev.velu.graph.Graph;
import dev.velu.graph.Node;
import dev.velu.graph.Plan;
import dev.velu.graph.Value;
import dev.velu.models.libtorch.Deviation;
import dev.velu.models.libtorch.Libtorch;
import dev.velu.models.libtorch.LibtorchNetwork;
import dev.velu.nn.Initializer;
import dev.velu.nn.Parameter;
import dev.velu.nn.Parameters;
import dev.velu.op.ActivationFunction;
import dev.velu.op.NormalizeImage;
import dev.velu.op.Pointwise;
import dev.velu.op.VeluParameters;
import dev.velu.optim.GradientClip;
import dev.velu.optim.Optimizer;
import dev.velu.optim.OptimizerAlgorithm;
import dev.velu.tensor.DType;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * One training step of every network against libtorch in float64, from the same weights and the same batch: logits, losses,
 * gradients, running statistics, and parameters after the step.
 */
class NetworkLibtorchTest {
    private static final int CLASSES = 10;
    private static final long SEED = 5;
    private static final long STEP = 3;
    private static final float W2_WEIGHT = 0.1f;
    private static final float LEARNING_RATE = 0.5f;
    private static final OptimizerAlgorithm.Sgd SGD = new OptimizerAlgorithm.Sgd(0.9f, false, 0.01f);
    private static final NormalizeImage NORMALIZATION = NormalizeImage.imageNet();

    /** What was on a wrong side of a kink lay this near to it, in units of the site's root mean square. */
    private static final double KINK_DISTANCE = 2e-4;

    private static final int SHOWN = 20;

    private final List<String> violations = new ArrayList<>();

    /**
     * The tolerances are about three times what was seen, of the 2-norm and of the largest element of every tensor. VeLU with the
     * released constants is nearly linear, so that rounding grows little from layer to layer; after ReLU it grows at every batch
     * norm, most in ResNet-50's last ones, which have 16 values per channel. Without batch norm it stays at some roundings.
     */
    @ParameterizedTest
    @CsvSource({
        "resnet50, 64, 4, 2e-5",
        "densenet121, 64, 4, 2e-5",
        "mobilenet_v2, 64, 4, 1e-5",
        "efficientnet_b3, 64, 4, 3e-5",
        "vit_b_16, 64, 2, 7e-6",
        "vgg19, 32, 4, 7e-6",
        "vgg19_bn, 32, 4, 4e-5"
    })
    void aStepWithVeluIsLibtorchs(String label, int size, int batch, double tolerance) {
        compare(label, size, batch, VeluParameters.released(), tolerance);
    }

    /** For the tolerances see {@link #aStepWithVeluIsLibtorchs}. */
    @ParameterizedTest
    @CsvSource({
        "resnet50, 64, 4, 8e-4",
        "densenet121, 64, 4, 1e-4",
        "mobilenet_v2, 64, 4, 1e-4",
        "efficientnet_b3, 64, 4, 4e-4",
        "vit_b_16, 64, 2, 1e-5",
        "vgg19, 32, 4, 1e-5",
        "vgg19_bn, 32, 4, 8e-5"
    })
    void aStepWithTheDefaultActivationIsLibtorchs(String label, int size, int batch, double tolerance) {
        compare(label, size, batch, null, tolerance);
    }

    private void compare(String label, int size, int batch, ActivationFunction activation, double tolerance) {
        NetworkSpec spec = new NetworkSpec(
                Architecture.named(label),
                CLASSES,
                size,
                activation,
                NetworkSpec.Sites.ALL,
                NetworkSpec.Head.STANDARD,
                activation == null ? 0 : W2_WEIGHT);
        Parameters parameters = new Parameters();
        Network network = network(spec, parameters, batch);
        try (Arena arena = Arena.ofConfined();
                Context context = Context.open(Device.cpu(), 2, Isa.AUTO);
                Libtorch torch = new Libtorch()) {
            parameters.allocate(context, true);
            parameters.initialize(SEED);
            disturb(parameters);
            MemorySegment images = arena.allocate((long) batch * size * size * 3, 64);
            int[] labels = new int[batch];
            fill(images, labels);

            Map<String, NDArray> tensors = tensors(torch, parameters);
            Map<String, NDArray> activated = activated(torch, context, spec, parameters, images, labels);
            LibtorchNetwork reference =
                    new LibtorchNetwork(torch, facts(label), spec.bodyActivation(), SEED, STEP, tensors, activated);
            LibtorchNetwork.Output expected =
                    reference.run(normalized(torch, images, batch, size), labels, spec.w2Weight());
            assertThat(reference.kinkDistance()).isLessThan(KINK_DISTANCE);

            Optimizer optimizer = new Optimizer(parameters, SGD, GradientClip.NONE, context);
            TrainingGraph.training(network, 0);
            try (Plan plan = Plan.of(network.graph(), parameters, context)) {
                optimizer.appendTo(plan);
                try (StepPipeline pipeline = new StepPipeline(plan, context, optimizer)) {
                    pipeline.submit(images, MemorySegment.ofArray(labels), STEP, LEARNING_RATE);
                    pipeline.await();
                }
                checkResults(torch, network, plan, expected, tolerance);
            }
            for (Parameter parameter : parameters.all()) {
                if (parameter.type().dtype() == DType.I64) {
                    assertThat(parameters.segment(parameter).get(ValueLayout.JAVA_LONG, 0))
                            .as(parameter.name())
                            .isEqualTo(1);
                } else if (parameter.trainable()) {
                    checkUpdate(torch, reference, parameters, parameter, tensors.get(parameter.name()), tolerance);
                } else {
                    NDArray running = torch.view(parameter, parameters.segment(parameter));
                    check(parameter.name(), Deviation.of(running, tensors.get(parameter.name())), tolerance);
                }
            }
        }
        assertThat(violations.stream().limit(SHOWN))
                .as("the first of %d deviations", violations.size())
                .isEmpty();
    }

    /** Recorded for training, with its logits kept. */
    private static Network network(NetworkSpec spec, Parameters parameters, int batch) {
        Network network = Network.build(spec, parameters, batch, true, NORMALIZATION, SEED);
        network.graph().result(TrainingGraph.LOGITS, network.logits());
        return network;
    }

    private void checkResults(
            Libtorch torch, Network network, Plan plan, LibtorchNetwork.Output expected, double tolerance) {
        NDArray logits = torch.view(
                plan.result(TrainingGraph.LOGITS),
                network.logits().type().shape().toArray());
        check("logits", Deviation.of(logits, expected.logits()), tolerance);
        check("loss", Deviation.of(torch.view(plan.result(TrainingGraph.LOSS)), expected.crossEntropy()), tolerance);
        double w2 = 0;
        for (Value result : network.graph().results()) {
            if (result.name().startsWith(Network.momentsOf(""))) {
                w2 += plan.result(result.name()).getAtIndex(ValueLayout.JAVA_FLOAT, 2);
            }
        }
        check("W2", Deviation.of(torch.constant(new double[] {w2}), expected.w2()), tolerance);
    }

    /** The gradient, and the value that the first step of SGD makes of it. */
    private void checkUpdate(
            Libtorch torch,
            LibtorchNetwork reference,
            Parameters parameters,
            Parameter parameter,
            NDArray value,
            double tolerance) {
        LibtorchNetwork.Gradient gradient = reference.gradient(parameter.name());
        check(
                "gradient of " + parameter.name(),
                Deviation.of(
                        torch.view(parameter, parameters.gradient(parameter)), gradient.value(), gradient.magnitude()),
                tolerance);
        NDArray before = value.reshape(-1);
        NDArray slope = gradient.value().reshape(-1);
        NDArray magnitude = gradient.magnitude().reshape(-1);
        double rate = LEARNING_RATE;
        double kept = 1 - rate * SGD.weightDecay();
        check(
                parameter.name() + " after the step",
                Deviation.of(
                        torch.view(parameter, parameters.segment(parameter)).reshape(-1),
                        (manager, rows) -> before.get(manager, rows)
                                .mul(kept)
                                .sub(slope.get(manager, rows).mul(rate)),
                        (manager, rows) -> before.get(manager, rows)
                                .abs()
                                .add(magnitude.get(manager, rows).abs().mul(rate))),
                tolerance);
    }

    private void check(String what, Deviation deviation, double tolerance) {
        if (!deviation.within(tolerance)) {
            violations.add(what + ": " + deviation + ", tolerance " + tolerance);
        }
    }

    /** Gives what starts as a constant values of its own, so that no term is invisible. */
    private static void disturb(Parameters parameters) {
        Random random = new Random(SEED);
        for (Parameter parameter : parameters.all()) {
            if (parameter.type().dtype() == DType.F32 && parameter.initializer() instanceof Initializer.Constant) {
                MemorySegment values = parameters.segment(parameter);
                for (long i = 0; i < parameter.type().shape().elements(); i++) {
                    float value = values.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                    values.setAtIndex(ValueLayout.JAVA_FLOAT, i, value + 0.2f * (random.nextFloat() - 0.5f));
                }
            }
        }
    }

    private static void fill(MemorySegment images, int[] labels) {
        Random random = new Random(7);
        for (long i = 0; i < images.byteSize(); i++) {
            images.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt(256));
        }
        for (int row = 0; row < labels.length; row++) {
            labels[row] = random.nextInt(CLASSES);
        }
    }

    /** Copies of all parameters and running statistics. */
    private static Map<String, NDArray> tensors(Libtorch torch, Parameters parameters) {
        Map<String, NDArray> tensors = new HashMap<>();
        for (Parameter parameter : parameters.all()) {
            if (parameter.type().dtype() == DType.F32) {
                try (NDArray values = torch.view(parameter, parameters.segment(parameter))) {
                    tensors.put(parameter.name(), parameter.trainable() ? torch.variable(values) : torch.copy(values));
                }
            }
        }
        return tensors;
    }

    /** The outputs of ReLU and ReLU6, from a forward pass of its own that keeps them and leaves the buffers as they were. */
    private static Map<String, NDArray> activated(
            Libtorch torch,
            Context context,
            NetworkSpec spec,
            Parameters parameters,
            MemorySegment images,
            int[] labels) {
        Map<String, NDArray> activated = new HashMap<>();
        if (spec.bodyActivation() != Pointwise.RELU && spec.bodyActivation() != Pointwise.RELU6) {
            return activated;
        }
        Map<Parameter, byte[]> buffers = new HashMap<>();
        for (Parameter parameter : parameters.all()) {
            if (!parameter.trainable()) {
                buffers.put(parameter, parameters.segment(parameter).toArray(ValueLayout.JAVA_BYTE));
            }
        }
        Network network = network(spec, parameters, labels.length);
        Graph graph = network.graph();
        Map<String, Integer> calls = new HashMap<>();
        Map<String, Value> outputs = new HashMap<>();
        for (Node node : graph.nodes()) {
            if (node.operation().name().equals("activation_forward")) {
                String site = node.scope() + "." + (calls.merge(node.scope(), 1, Integer::sum) - 1);
                outputs.put(site, graph.result("activated." + site, node.output(0)));
            }
        }
        Fusion.fuse(graph, true);
        try (Plan plan = Plan.of(graph, parameters, context)) {
            context.upload(images, plan.input(Network.IMAGES));
            if (plan.hasInput(Network.STEP)) {
                context.upload(MemorySegment.ofArray(new long[] {STEP}), plan.input(Network.STEP));
            }
            plan.run();
            outputs.forEach((site, output) -> {
                NDArray view = torch.view(
                        plan.result(output.name()), output.type().shape().toArray());
                boolean isImage = output.type().shape().rank() == 4;
                activated.put(site, torch.copy(isImage ? view.transpose(0, 3, 1, 2) : view));
            });
        }
        buffers.forEach((parameter, bytes) -> parameters.segment(parameter).copyFrom(MemorySegment.ofArray(bytes)));
        return activated;
    }

    /** {@code [N, C, H, W]}, normalized in float64. */
    private static NDArray normalized(Libtorch torch, MemorySegment images, int batch, int size) {
        double[] values = new double[Math.toIntExact(images.byteSize())];
        for (int i = 0; i < values.length; i++) {
            double mean = NORMALIZATION.mean().get(i % 3);
            double std = NORMALIZATION.std().get(i % 3);
            values[i] = (Byte.toUnsignedInt(images.get(ValueLayout.JAVA_BYTE, i)) / 255.0 - mean) / std;
        }
        return torch.constant(values, batch, size, size, 3).transpose(0, 3, 1, 2);
    }

    private static JsonNode facts(String label) {
        try (InputStream in = NetworkLibtorchTest.class.getResourceAsStream(label + ".json")) {
            return new ObjectMapper().readTree(in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
