package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class ActivationTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private Tensor run(Pointwise function, float... values) {
        Tensor x = Tensor.allocate(context, DType.F32, values.length).set(values);
        Tensor y = Tensor.allocate(context, DType.F32, values.length);
        new Activation(function).forward(context, x, y);
        return y;
    }

    @Test
    void reluKeepsWhatIsPositive() {
        assertThat(run(Pointwise.RELU, -2, 0, 3).toFloatArray()).containsExactly(0, 0, 3);
    }

    @Test
    void relu6StopsAtSix() {
        assertThat(run(Pointwise.RELU6, -2, 3, 9).toFloatArray()).containsExactly(0, 3, 6);
    }

    @Test
    void siluOfOneIsTheSigmoidOfOne() {
        assertThat(run(Pointwise.SILU, 1).item()).isCloseTo(0.7310586, within(1e-6));
    }

    @Test
    void geluOfOneIsTheNormalDistributionAtOne() {
        assertThat(run(Pointwise.GELU, 1).item()).isCloseTo(0.8413447, within(1e-6));
    }

    @Test
    void theSigmoidIsHalfAtZeroAndItsSlopeAQuarter() {
        assertThat(run(Pointwise.SIGMOID, 0).item()).isEqualTo(0.5);
        Tensor x = Tensor.allocate(context, DType.F32, 1);
        Tensor dy = Tensor.allocate(context, DType.F32, 1).set(8f);
        new Activation(Pointwise.SIGMOID).backward(context, x, dy, dy);
        assertThat(dy.item()).isEqualTo(2);
    }

    @Test
    void gradientOfReluPassesWhereTheInputIsPositive() {
        Tensor x = Tensor.allocate(context, DType.F32, 3).set(-1f, 0f, 1f);
        Tensor dy = Tensor.allocate(context, DType.F32, 3).set(5f, 5f, 5f);
        new Activation(Pointwise.RELU).backward(context, x, dy, dy);
        assertThat(dy.toFloatArray()).containsExactly(0, 0, 5);
    }

    @Test
    void aGradientOfAnotherShapeIsNamed() {
        Tensor x = Tensor.allocate(context, DType.F32, 3);
        Tensor dy = Tensor.allocate(context, DType.F32, 4);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Activation(Pointwise.SILU).backward(context, x, dy, dy))
                .withMessage("activation_backward: dy is F32 [4], expected F32 [3]");
    }

    @Test
    void labelsAreNotActivated() {
        Tensor x = Tensor.allocate(context, DType.I32, 3);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Activation(Pointwise.RELU).forward(context, x, x))
                .withMessage("activation_forward: x has dtype I32, expected F32 or BF16");
    }
}
