package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.nn.Initializer;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class DropoutTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private static final int COUNT = 10_000;

    private final Tensor x = Tensor.allocate(context, DType.F32, COUNT);
    private final Tensor y = Tensor.allocate(context, DType.F32, COUNT);
    private final Tensor step = Tensor.allocate(context, DType.I64);

    private float[] drop(Dropout dropout) {
        RandomFill.fill(context, x.segment(), COUNT, new Initializer.Constant(1), 0, 0);
        dropout.forward(context, x, step, y);
        return y.toFloatArray();
    }

    @Test
    void keepsTheAskedShareAndScalesIt() {
        float[] kept = drop(new Dropout(0.25f, 1, 0));
        int zeros = 0;
        for (float value : kept) {
            assertThat(value == 0 || Math.abs(value - 4 / 3f) < 1e-6).isTrue();
            zeros += value == 0 ? 1 : 0;
        }
        assertThat(zeros).isBetween(2300, 2700);
    }

    @Test
    void theGradientHasTheSameMask() {
        Dropout dropout = new Dropout(0.5f, 3, 2);
        float[] kept = drop(dropout);
        dropout.backward(context, x, step, x);
        assertThat(x.toFloatArray()).isEqualTo(kept);
    }

    @Test
    void anotherStepHasAnotherMask() {
        float[] first = drop(new Dropout(0.5f, 3, 2));
        RandomFill.fill(context, step.segment(), step.type(), new Initializer.Constant(1), 0, 0);
        assertThat(drop(new Dropout(0.5f, 3, 2))).isNotEqualTo(first);
    }

    @Test
    void aProbabilityOutsideItsRangeIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Dropout(1, 0, 0))
                .withMessage("dropout probability 1.0 is outside [0, 1)");
        assertThatIllegalArgumentException().isThrownBy(() -> new Dropout(Float.NaN, 0, 0));
    }

    @Test
    void aStepThatIsNotACountIsNamed() {
        Tensor floats = Tensor.allocate(context, DType.F32);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Dropout(0.5f, 0, 0).forward(context, x, floats, y))
                .withMessage("dropout_forward: step is F32 [], expected I64 []");
    }
}
