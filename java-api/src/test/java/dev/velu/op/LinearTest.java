package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Fusion;
import dev.velu.graph.Graph;
import dev.velu.graph.Operation;
import dev.velu.graph.Value;
import dev.velu.nn.Initializer;
import dev.velu.nn.Parameter;
import dev.velu.selftest.oracle.LinearOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class LinearTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final Linear linear = new Linear();
    private final Tensor x = Tensor.allocate(context, DType.F32, 1, 2).set(1f, 2f);
    private final Tensor weight = Tensor.allocate(context, DType.F32, 3, 2).set(1f, 0f, 0f, 1f, 1f, 1f);
    private final Tensor bias = Tensor.allocate(context, DType.F32, 3).set(10f, 20f, 30f);

    @Test
    void multipliesByTheTransposedWeightAndAddsTheBias() {
        Tensor y = Tensor.allocate(context, DType.F32, 1, 3);
        linear.forward(context, x, weight, bias, y);
        assertThat(y.toFloatArray()).containsExactly(11, 22, 33);
        linear.forward(context, x, weight, null, y);
        assertThat(y.toFloatArray()).containsExactly(1, 2, 3);
    }

    @Test
    void theActivationIsAppliedToTheSum() {
        Tensor y = Tensor.allocate(context, DType.F32, 1, 3);
        Tensor low = Tensor.allocate(context, DType.F32, 3).set(-1f, -3f, 20f);
        linear.forward(context, x, weight, low, Pointwise.RELU6, y);
        assertThat(y.toFloatArray()).containsExactly(0, 0, 6);
    }

    @Test
    void allAxesButTheLastAreRows() {
        LinearOracle oracle = new LinearOracle(15, 7, 33);
        float[] tokens = Values.normal(1, 15 * 7);
        float[] matrix = Values.normal(2, 33 * 7);
        float[] gradient = Values.normal(3, 15 * 33);
        Tensor input = Tensor.allocate(context, DType.F32, 3, 5, 7).set(tokens);
        Tensor wide = Tensor.allocate(context, DType.F32, 33, 7).set(matrix);
        Tensor dy = Tensor.allocate(context, DType.F32, 3, 5, 33).set(gradient);
        Tensor y = Tensor.allocate(context, DType.F32, 3, 5, 33);
        linear.forward(context, input, wide, null, y);
        Values.assertClose(y, oracle.forward(Values.wide(tokens), Values.wide(matrix), null), 1e-5);
        Tensor dx = Tensor.allocate(context, DType.F32, 3, 5, 7);
        linear.backwardData(context, dy, wide, dx);
        Values.assertClose(dx, oracle.backwardData(Values.wide(gradient), Values.wide(matrix)), 2e-5);
        Tensor dweight = Tensor.allocate(context, DType.F32, 33, 7);
        Tensor dbias = Tensor.allocate(context, DType.F32, 33);
        linear.backwardWeights(context, input, dy, dweight, dbias);
        Values.assertClose(dweight, oracle.backwardWeights(Values.wide(tokens), Values.wide(gradient)), 2e-5);
        Values.assertClose(dbias, oracle.backwardBias(Values.wide(gradient)), 2e-5);
    }

    @Test
    void aVectorIsNamed() {
        Tensor vector = Tensor.allocate(context, DType.F32, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> linear.forward(context, vector, weight, bias, vector))
                .withMessage("linear_forward: x has shape [2], expected 2 axes or more");
    }

    @Test
    void aGradientOfOtherAxesIsNamed() {
        Tensor tokens = Tensor.allocate(context, DType.F32, 2, 3, 2);
        Tensor dy = Tensor.allocate(context, DType.F32, 6, 3);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> linear.backwardWeights(context, tokens, dy, weight, null))
                .withMessage("linear_backward_weights: dy has shape [6, 3], expected as many axes as x [2, 3, 2]");
    }

    private Operation followedBy(Pointwise function, boolean differentiated) {
        Graph graph = new Graph();
        Value tokens = graph.input("tokens", TensorType.f32(4, 2));
        Value matrix = graph.parameter(new Parameter(
                "matrix",
                TensorType.f32(3, 2),
                Parameter.Role.WEIGHT,
                Parameter.Layout.PLAIN,
                new Initializer.Constant(0)));
        new Activation(function).apply(graph, linear.apply(graph, tokens, matrix, null));
        Fusion.fuse(graph, differentiated);
        return graph.nodes().getLast().operation();
    }

    @Test
    void anActivationWhoseGradientNeedsOnlyItsResultJoins() {
        assertThat(followedBy(Pointwise.RELU, true)).isEqualTo(new Linear.Forward(Pointwise.RELU));
        assertThat(followedBy(Pointwise.RELU6, true)).isEqualTo(new Linear.Forward(Pointwise.RELU6));
    }

    @Test
    void anyActivationJoinsWithoutAGradientAndNoOtherWithOne() {
        for (Pointwise function : new Pointwise[] {Pointwise.SILU, Pointwise.GELU, Pointwise.SIGMOID}) {
            assertThat(followedBy(function, false)).isEqualTo(new Linear.Forward(function));
            assertThat(followedBy(function, true)).isEqualTo(new Activation.Forward(function));
        }
    }

    @Test
    void gradientsAreProductsWithTheOtherOperand() {
        Tensor dy = Tensor.allocate(context, DType.F32, 1, 3).set(1f, 2f, 3f);
        Tensor dx = Tensor.allocate(context, DType.F32, 1, 2);
        Tensor dweight = Tensor.allocate(context, DType.F32, 3, 2);
        Tensor dbias = Tensor.allocate(context, DType.F32, 3);
        linear.backwardData(context, dy, weight, dx);
        linear.backwardWeights(context, x, dy, dweight, dbias);
        assertThat(dx.toFloatArray()).containsExactly(4, 5);
        assertThat(dweight.toFloatArray()).containsExactly(1, 2, 2, 4, 3, 6);
        assertThat(dbias.toFloatArray()).containsExactly(1, 2, 3);
    }

    @Test
    void aWeightForOtherFeaturesIsNamed() {
        Tensor wide = Tensor.allocate(context, DType.F32, 1, 5);
        Tensor y = Tensor.allocate(context, DType.F32, 1, 3);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> linear.forward(context, wide, weight, bias, y))
                .withMessage("linear_forward: axis 1 of weight [3, 2] differs from axis 1 of x [1, 5]");
    }

    @Test
    void aWeightOfAnotherDtypeIsNamed() {
        Tensor half = Tensor.allocate(context, DType.BF16, 3, 2);
        Tensor y = Tensor.allocate(context, DType.F32, 1, 3);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> linear.forward(context, x, half, bias, y))
                .withMessageContaining("weight is BF16 [3, 2], expected the dtype F32 of x");
    }

    @Test
    void aBiasOfAnotherSizeIsNamed() {
        Tensor y = Tensor.allocate(context, DType.F32, 1, 3);
        Tensor small = Tensor.allocate(context, DType.F32, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> linear.forward(context, x, weight, small, y))
                .withMessage("linear_forward: bias is F32 [2], expected F32 [3]");
    }

    @Test
    void gradientsOfAnotherShapeAreNamed() {
        Tensor dy = Tensor.allocate(context, DType.F32, 2, 3);
        Tensor dx = Tensor.allocate(context, DType.F32, 1, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> linear.backwardWeights(context, x, dy, weight, null))
                .withMessageContaining("axis 0 of dy [2, 3] differs from axis 0 of x [1, 2]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> linear.backwardData(context, dy, weight, dx))
                .withMessageContaining("output 0 is F32 [1, 2], expected F32 [2, 2]");
    }

    @Test
    void macsAreRowsTimesBothFeatures() {
        List<TensorType> inputs = Arrays.asList(TensorType.f32(4, 2), TensorType.f32(3, 2), null);
        Operation forward = new Linear.Forward();
        assertThat(forward.macs(inputs, forward.infer(inputs))).isEqualTo(24);
    }
}
