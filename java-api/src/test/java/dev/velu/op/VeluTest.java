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

class VeluTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private static final VeluParameters PARAMS = VeluParameters.released();

    private final Tensor x = Tensor.allocate(context, DType.F32, 1, 1).set(1f);
    private final Tensor y = Tensor.allocate(context, DType.F32, 1, 1);
    private final Tensor moments = Tensor.allocate(context, DType.F32, 3);

    /** x g a of a row of the one element x = 1 with the released constants, whose statistic is 1 / sqrt(1 + 1e-6). */
    private static double one() {
        double a = 1 + 0.1 * Math.tanh(0.9 / Math.sqrt(1 + 1e-6));
        return a / (1 + Math.exp(-0.1 * (Math.atan(0.1) + Math.asin(0.1))));
    }

    @Test
    void isGateTimesAdaptiveScaleTimesLambda() {
        Tensor lambda = Tensor.allocate(context, DType.F32).set(2f);
        new Velu(PARAMS, 0).forward(context, x, lambda, y, null);
        assertThat(y.item()).isCloseTo(2 * one(), within(1e-6));
        new Velu(PARAMS, 0).forward(context, x, null, y, null);
        assertThat(y.item()).isCloseTo(one(), within(1e-6));
    }

    @Test
    void momentsAreThoseBeforeLambda() {
        Tensor lambda = Tensor.allocate(context, DType.F32).set(2f);
        new Velu(PARAMS, 0).forward(context, x, lambda, y, moments);
        float[] expected = {(float) one(), 0, (float) (one() * one() + 1)};
        assertThat(moments.toFloatArray()).containsExactly(expected, within(1e-5f));
    }

    @Test
    void theGradientOfLambdaIsTheActivation() {
        Tensor lambda = Tensor.allocate(context, DType.F32).set(2f);
        Tensor dy = Tensor.allocate(context, DType.F32, 1, 1).set(3f);
        Tensor dlambda = Tensor.allocate(context, DType.F32);
        new Velu(PARAMS, 0).backward(context, x, dy, lambda, null, dy, dlambda);
        assertThat(dlambda.item()).isCloseTo(3 * one(), within(1e-5));
    }

    @Test
    void aTensorOfAnyRankHasItsChannelsLast() {
        Tensor image = Tensor.allocate(context, DType.F32, 1, 2, 2, 3);
        Tensor vector = Tensor.allocate(context, DType.F32, 3);
        new Velu(PARAMS, 0).forward(context, image, null, image, null);
        new Velu(PARAMS, 0).forward(context, vector, null, vector, null);
        assertThat(vector.toFloatArray()).containsOnly(0);
    }

    @Test
    void aScalarHasNoChannels() {
        Tensor scalar = Tensor.allocate(context, DType.F32);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Velu(PARAMS, 0).forward(context, scalar, null, scalar, null))
                .withMessageContaining("velu_forward: x has shape []");
    }

    @Test
    void anEmptyTensorHasNoMoments() {
        Tensor empty = Tensor.allocate(context, DType.F32, 0, 3);
        new Velu(PARAMS, 0).forward(context, empty, null, empty, null);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Velu(PARAMS, 0).forward(context, empty, null, empty, moments))
                .withMessageContaining("[0, 3] and no elements");
    }

    @Test
    void lambdaIsAScalar() {
        Tensor vector = Tensor.allocate(context, DType.F32, 1);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Velu(PARAMS, 0).forward(context, x, vector, y, null))
                .withMessage("velu_forward: lambda is F32 [1], expected F32 []");
    }

    @Test
    void theGradientOfW2NeedsTheMoments() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Velu(PARAMS, 0.1f).backward(context, x, y, null, null, y, null))
                .withMessage("velu_backward: moments, which the weight 0.1 of W2 needs, is missing");
    }

    @Test
    void aWeightThatIsNotFiniteIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Velu(PARAMS, Float.NaN))
                .withMessageContaining("NaN");
    }

    @Test
    void constantsOutsideTheirRangeAreNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new VeluParameters(1, 1, 1, 1, 1, 1e-6f, VeluParameters.Statistic.STD, null))
                .withMessage("VeLU gamma 1.0 is not in (-1, 1)");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new VeluParameters(1, 1, 1, 0, 1, 0, VeluParameters.Statistic.STD, null))
                .withMessageContaining("eps 0.0");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new VeluParameters.Clamp(2, 1))
                .withMessageContaining("[2.0, 1.0]");
    }
}
