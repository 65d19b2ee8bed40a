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

class GlobalAvgPoolTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final GlobalAvgPool pool = new GlobalAvgPool();

    @Test
    void averagesThePixelsOfEveryImage() {
        Tensor x = Tensor.allocate(context, DType.F32, 1, 1, 2, 2).set(1f, 10f, 3f, 20f);
        Tensor y = Tensor.allocate(context, DType.F32, 1, 2);
        pool.forward(context, x, y);
        assertThat(y.toFloatArray()).containsExactly(2, 15);
    }

    @Test
    void theGradientIsSpreadEvenly() {
        Tensor dy = Tensor.allocate(context, DType.F32, 1, 2).set(2f, 4f);
        Tensor dx = Tensor.allocate(context, DType.F32, 1, 2, 1, 2);
        pool.backward(context, dy, dx);
        assertThat(dx.toFloatArray()).containsExactly(1, 2, 1, 2);
    }

    @Test
    void aVectorIsNotPooled() {
        Tensor x = Tensor.allocate(context, DType.F32, 1, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> pool.forward(context, x, x))
                .withMessage("global_avg_pool_forward: x has shape [1, 2], expected 4 axes");
    }

    @Test
    void aGradientOfAnotherShapeIsNamed() {
        Tensor dy = Tensor.allocate(context, DType.F32, 1, 3);
        Tensor dx = Tensor.allocate(context, DType.F32, 1, 2, 1, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> pool.backward(context, dy, dx))
                .withMessage("global_avg_pool_backward: dy is F32 [1, 3], expected F32 [1, 2]");
    }
}
