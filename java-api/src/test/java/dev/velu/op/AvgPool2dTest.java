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

class AvgPool2dTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final Tensor x = Tensor.allocate(context, DType.F32, 1, 2, 2, 1).set(1f, 2f, 3f, 6f);

    @Test
    void averagesEveryWindow() {
        Tensor y = Tensor.allocate(context, DType.F32, 1, 1, 1, 1);
        AvgPool2d.of(2, 2).forward(context, x, y);
        assertThat(y.item()).isEqualTo(3);
    }

    @Test
    void paddingCountsOnlyIfAskedTo() {
        Tensor y = Tensor.allocate(context, DType.F32, 1, 2, 2, 1);
        new AvgPool2d(PoolWindow.of(2, 2, 1), true).forward(context, x, y);
        assertThat(y.toFloatArray()).containsExactly(0.25f, 0.5f, 0.75f, 1.5f);
        new AvgPool2d(PoolWindow.of(2, 2, 1), false).forward(context, x, y);
        assertThat(y.toFloatArray()).containsExactly(1, 2, 3, 6);
    }

    @Test
    void theGradientIsSpreadEvenly() {
        Tensor dy = Tensor.allocate(context, DType.F32, 1, 1, 1, 1).set(8f);
        Tensor dx = Tensor.allocate(context, DType.F32, 1, 2, 2, 1);
        AvgPool2d.of(2, 2).backward(context, dy, dx);
        assertThat(dx.toFloatArray()).containsExactly(2, 2, 2, 2);
    }

    @Test
    void anOutputOfAnotherShapeIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> AvgPool2d.of(2, 2).forward(context, x, x))
                .withMessage("avg_pool2d_forward: output 0 is F32 [1, 2, 2, 1], expected F32 [1, 1, 1, 1]");
    }
}
