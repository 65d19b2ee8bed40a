package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Fusion;
import dev.velu.graph.Graph;
import dev.velu.graph.Node;
import dev.velu.graph.Value;
import dev.velu.nn.Initializer;
import dev.velu.nn.Parameter;
import dev.velu.selftest.oracle.WassersteinOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class WassersteinTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 2, Isa.AUTO);

    private Tensor tensor(float[] values, long... sizes) {
        return Tensor.allocate(context, DType.F32, sizes).set(values);
    }

    @ParameterizedTest
    @EnumSource
    void distanceAndGradientAreThoseOfTheReference(W2 kind) {
        Wasserstein operation = new Wasserstein(kind, 1000);
        WassersteinOracle oracle = new WassersteinOracle(kind, 33);
        float[] values = Values.normal(1, 2 * 5 * 7 * 33);
        Tensor a = tensor(values, 2, 5, 7, 33);
        Tensor saved = Tensor.allocate(context, operation.savedType(a.type()));
        Tensor moments = Tensor.allocate(context, DType.F32, 3);
        Tensor da = Tensor.allocate(context, DType.F32, 2, 5, 7, 33);
        operation.forward(context, a, null, null, saved, moments);
        WassersteinOracle.Forward expected = oracle.forward(Values.wide(values));
        Values.assertClose(moments, new double[] {expected.mean(), expected.std(), expected.w2()}, 1e-5);
        operation.backward(context, a, null, null, saved, da, null);
        double[] gradient = oracle.gradient(Values.wide(values)).da();
        for (int i = 0; i < gradient.length; i++) {
            gradient[i] *= 1000;
        }
        Values.assertClose(da, gradient, 1e-5);
    }

    @Test
    void gaussianIsWhatVeluItselfGives() {
        Tensor x = tensor(Values.normal(3, 40 * 16), 40, 16);
        Tensor a = Tensor.allocate(context, DType.F32, 40, 16);
        Tensor fused = Tensor.allocate(context, DType.F32, 3);
        Tensor apart = Tensor.allocate(context, DType.F32, 3);
        new Velu(VeluParameters.released(), 0).forward(context, x, null, a, fused);
        new Wasserstein(W2.GAUSSIAN, 0).forward(context, a, null, null, null, apart);
        assertThat(apart.toFloatArray()).containsExactly(fused.toFloatArray(), within(1e-6f));
    }

    @Test
    void theVeluBeforeItJoinsABatchNorm() {
        Graph graph = new Graph();
        Value x = graph.input("x", TensorType.f32(2, 3, 3, 8));
        Value lambda = graph.parameter(new Parameter(
                "lambda",
                TensorType.f32(),
                Parameter.Role.ACTIVATION,
                Parameter.Layout.PLAIN,
                new Initializer.Constant(1)));
        Value normed = BatchNorm.defaults()
                .applyTraining(
                        graph,
                        x,
                        graph.input("weight", TensorType.f32(8)),
                        graph.input("bias", TensorType.f32(8)),
                        null,
                        null,
                        null);
        Value a = new Velu(VeluParameters.released(), 0)
                .apply(graph, normed, null, false)
                .y();
        Wasserstein.Output output = new Wasserstein(W2.EMPIRICAL, 0.1f).apply(graph, a, lambda);
        graph.result("y", output.y());
        graph.result("moments", output.moments());
        Fusion.fuse(graph, true);
        assertThat(graph.nodes().stream().map(Node::operation).map(o -> o.name()))
                .containsExactly("batch_norm_forward_training", "wasserstein_forward");
    }

    @Test
    void aWeightWithoutWhatForwardSavedIsNamed() {
        Tensor a = tensor(new float[4], 4);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Wasserstein(W2.EMPIRICAL, 0.5f).backward(context, a, null, null, null, a, null))
                .withMessageContaining("weight 0.5 of W2");
    }

    @Test
    void nothingHasNoDistance() {
        Tensor empty = Tensor.allocate(context, DType.F32, 0, 33);
        Tensor moments = Tensor.allocate(context, DType.F32, 3);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Wasserstein(W2.PER_CHANNEL, 0).forward(context, empty, null, null, null, moments))
                .withMessageContaining("[0, 33]");
    }

    @Test
    void kindsHaveTheNamesOfTheCommandLine() {
        for (W2 kind : W2.values()) {
            assertThat(W2.named(kind.label())).isEqualTo(kind);
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> W2.named("sliced"))
                .withMessageContaining("'sliced'")
                .withMessageContaining("gaussian, empirical, per_channel");
    }
}
