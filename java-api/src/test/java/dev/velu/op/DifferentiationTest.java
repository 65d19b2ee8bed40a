package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Autodiff;
import dev.velu.graph.Fusion;
import dev.velu.graph.Graph;
import dev.velu.graph.Plan;
import dev.velu.graph.Value;
import dev.velu.nn.Initializer;
import dev.velu.nn.Parameter;
import dev.velu.nn.Parameters;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/** A small network of every operation with a gradient, differentiated and run. */
class DifferentiationTest {
    private static final Initializer RANDOM = new Initializer.Uniform(-0.5f, 0.5f);
    private static final Initializer ONE = new Initializer.Constant(1);
    private static final Initializer ZERO = new Initializer.Constant(0);

    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final Parameters parameters = new Parameters();
    private final Graph graph = new Graph();

    private Value parameter(String name, Initializer initializer, long... sizes) {
        return tensor(name, TensorType.f32(sizes), Parameter.Role.WEIGHT, initializer);
    }

    private Value tensor(String name, TensorType type, Parameter.Role role, Initializer initializer) {
        return graph.parameter(
                parameters.declare(new Parameter(name, type, role, Parameter.Layout.PLAIN, initializer)));
    }

    private Value norm(String name, Value x) {
        return BatchNorm.defaults()
                .applyTraining(
                        graph,
                        x,
                        parameter(name + ".weight", RANDOM, 8),
                        parameter(name + ".bias", RANDOM, 8),
                        tensor(name + ".running_mean", TensorType.f32(8), Parameter.Role.BUFFER, ZERO),
                        tensor(name + ".running_var", TensorType.f32(8), Parameter.Role.BUFFER, ONE),
                        tensor(
                                name + ".num_batches_tracked",
                                new TensorType(DType.I64, Shape.of()),
                                Parameter.Role.BUFFER,
                                ZERO));
    }

    /** Convolution, two norms that are added, VeLU, SiLU, three poolings, dropout, linear, loss. */
    private Value network() {
        Value x = graph.input("x", TensorType.f32(3, 9, 9, 4));
        Value step = graph.input("step", new TensorType(DType.I64, Shape.of()));
        Value labels = graph.input("labels", new TensorType(DType.I32, Shape.of(3)));
        Value body = Conv2d.of(1, 1)
                .apply(graph, x, parameter("conv.weight", RANDOM, 8, 3, 3, 4), parameter("conv.bias", RANDOM, 8));
        Value sum = new Add().apply(graph, norm("left", body), norm("right", body));
        Value y = new Velu(VeluParameters.curve(), 0.3f)
                .apply(graph, sum, parameter("lambda", ONE))
                .y();
        y = MaxPool2d.of(3, 2, 1).apply(graph, y);
        y = new Activation(Pointwise.SILU).apply(graph, norm("last", y));
        y = AvgPool2d.of(2, 1).apply(graph, y);
        y = new Dropout(0.25f, 11, 0, Dropout.Mode.ELEMENT).apply(graph, y, step);
        y = new GlobalAvgPool().apply(graph, y);
        y = new Linear().apply(graph, y, parameter("fc.weight", RANDOM, 5, 8), parameter("fc.bias", RANDOM, 5));
        return new SoftmaxCrossEntropy(0.1f).apply(graph, y, labels);
    }

    private Map<String, float[]> gradients(boolean fused) {
        Value loss = network();
        if (fused) {
            Fusion.fuse(graph, true);
        }
        Map<Parameter, Value> differentiated = Autodiff.differentiate(graph, loss);
        parameters.allocate(context, true);
        parameters.initialize(5);
        Map<String, float[]> gradients = new TreeMap<>();
        try (Plan plan = Plan.of(graph, parameters, context)) {
            RandomFill.fill(context, plan.input("x"), 3 * 9 * 9 * 4, RANDOM, 1, 0);
            context.upload(MemorySegment.ofArray(new int[] {0, 3, 4}), plan.input("labels"));
            plan.run();
            for (Parameter p : differentiated.keySet()) {
                gradients.put(p.name(), parameters.gradient(p).toArray(ValueLayout.JAVA_FLOAT));
            }
        }
        return gradients;
    }

    private static Map<String, float[]> gradientsOfJoined() {
        DifferentiationTest other = new DifferentiationTest();
        try {
            return other.gradients(true);
        } finally {
            other.context.close();
        }
    }

    @Test
    void everyParameterGetsAGradient() {
        Map<String, float[]> gradients = gradients(false);
        assertThat(gradients).hasSize(11);
        gradients.forEach((name, gradient) -> {
            float largest = 0;
            for (float value : gradient) {
                assertThat(Float.isFinite(value)).as(name).isTrue();
                largest = Math.max(largest, Math.abs(value));
            }
            // A norm takes a bias before it away again.
            assertThat(largest > 1e-5f).as(name).isEqualTo(!name.equals("conv.bias"));
        });
    }

    @Test
    void joinedOperationsGiveTheSameGradients() {
        Map<String, float[]> apart = gradients(false);
        Map<String, float[]> joined = gradientsOfJoined();
        assertThat(joined.keySet()).isEqualTo(apart.keySet());
        apart.forEach(
                (name, gradient) -> assertThat(joined.get(name)).as(name).containsExactly(gradient, within(2e-5f)));
    }

    @Test
    void fusionLeavesOneNormForTheSumAndTheActivation() {
        network();
        int before = graph.nodes().size();
        Fusion.fuse(graph, true);
        assertThat(graph.nodes()).hasSize(before - 3);
        assertThat(graph.nodes()).noneMatch(node -> node.operation() instanceof Add.Forward);
        assertThat(graph.nodes()).noneMatch(node -> node.operation() instanceof Velu.Forward);
    }

    @Test
    void w2WithoutMomentsHasNoGradient() {
        Value x = graph.input("x", TensorType.f32(2, 4));
        Value labels = graph.input("labels", new TensorType(DType.I32, Shape.of(2)));
        Value y = new Linear().apply(graph, x, parameter("weight", RANDOM, 3, 4), null);
        y = new Velu(VeluParameters.released(), 0.1f)
                .apply(graph, y, null, false)
                .y();
        Value loss = new SoftmaxCrossEntropy(0).apply(graph, y, labels);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Autodiff.differentiate(graph, loss))
                .withMessageContaining("moments, which the weight 0.1 of W2 needs");
    }

    @Test
    void maxPoolingWithoutPositionsHasNoGradient() {
        Value image = graph.input("image", TensorType.f32(2, 2, 2, 1));
        Value labels = graph.input("labels", new TensorType(DType.I32, Shape.of(2)));
        Value y = Conv2d.of(1, 0).apply(graph, image, parameter("weight", RANDOM, 3, 1, 1, 1), null);
        y = new GlobalAvgPool().apply(graph, MaxPool2d.of(2, 2, 0).apply(graph, y, false));
        Value loss = new SoftmaxCrossEntropy(0).apply(graph, y, labels);
        assertThatIllegalStateException()
                .isThrownBy(() -> Autodiff.differentiate(graph, loss))
                .withMessageContaining("recorded without argmax");
    }

    @Test
    void onlyALossIsDifferentiated() {
        Value loss = network();
        Value twice = new Add().apply(graph, loss, loss);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Autodiff.differentiate(graph, twice))
                .withMessageContaining("is not the output of a loss operation");
    }

    @Test
    void parametersThatShareOneGradientAreNamed() {
        Value labels = graph.input("labels", new TensorType(DType.I32, Shape.of(2)));
        Value sum = new Add().apply(graph, parameter("a", RANDOM, 2, 3), parameter("b", RANDOM, 2, 3));
        Value loss = new SoftmaxCrossEntropy(0).apply(graph, sum, labels);
        assertThatIllegalStateException()
                .isThrownBy(() -> Autodiff.differentiate(graph, loss))
                .withMessageContaining("the gradient of parameter b is stored already, as GRADIENT 'a'");
    }
}
