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

class FirstTokenTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final FirstToken first = new FirstToken();

    @Test
    void takesTheFirstTokenOfEveryImage() {
        Tensor x = Tensor.allocate(context, DType.F32, 2, 3, 2).set(1f, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
        Tensor y = Tensor.allocate(context, DType.F32, 2, 2);
        first.forward(context, x, y);
        assertThat(y.toFloatArray()).containsExactly(1, 2, 7, 8);
    }

    @Test
    void theGradientOfTheOthersIsZero() {
        Tensor dy = Tensor.allocate(context, DType.F32, 2, 2).set(1f, 2, 3, 4);
        Tensor dx = Tensor.allocate(context, DType.F32, 2, 3, 2).set(9f, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9);
        first.backward(context, dy, dx);
        assertThat(dx.toFloatArray()).containsExactly(1, 2, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0);
    }

    @Test
    void noTokensAreNamed() {
        Tensor x = Tensor.allocate(context, DType.F32, 2, 0, 2);
        Tensor y = Tensor.allocate(context, DType.F32, 2, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> first.forward(context, x, y))
                .withMessage("copy_rows_forward: x has shape [2, 0, 2], expected [N, T, E] with tokens and channels");
    }

    @Test
    void aGradientOfAnotherShapeIsNamed() {
        Tensor dy = Tensor.allocate(context, DType.F32, 2, 3);
        Tensor dx = Tensor.allocate(context, DType.F32, 2, 3, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> first.backward(context, dy, dx))
                .withMessage("copy_rows_forward: dy is F32 [2, 3], expected F32 [2, 2]");
    }
}
