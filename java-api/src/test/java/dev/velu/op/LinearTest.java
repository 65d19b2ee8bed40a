package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Operation;
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
