package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class GradientNormTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final Tensor norm = Tensor.allocate(context, DType.F32);

    @Test
    void isTheRootOfTheSumOfSquares() {
        new GradientNorm().norm(context, Tensor.allocate(context, DType.F32, 2).set(3f, -4f), norm);
        assertThat(norm.item()).isEqualTo(5);
    }

    @Test
    void ofNothingIsZero() {
        norm.set(1f);
        new GradientNorm().norm(context, Tensor.allocate(context, DType.F32, 0), norm);
        assertThat(norm.item()).isZero();
    }

    @Test
    void gradientsThatAreNotFlatAreNamed() {
        Tensor matrix = Tensor.allocate(context, DType.F32, 2, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new GradientNorm().norm(context, matrix, norm))
                .withMessage("gradient_norm: gradients has shape [2, 2], expected 1 axes");
    }
}
