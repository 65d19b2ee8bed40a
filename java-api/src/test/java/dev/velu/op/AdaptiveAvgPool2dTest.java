package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.selftest.oracle.AdaptiveAvgPool2dOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class AdaptiveAvgPool2dTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    @Test
    void windowsOverlapWhereTheSizesDoNotDivide() {
        Tensor x = Tensor.allocate(context, DType.F32, 1, 1, 3, 1).set(1f, 2, 4);
        Tensor y = Tensor.allocate(context, DType.F32, 1, 1, 2, 1);
        new AdaptiveAvgPool2d(1, 2).forward(context, x, y);
        assertThat(y.toFloatArray()).containsExactly(1.5f, 3);
        Tensor dx = Tensor.allocate(context, DType.F32, 1, 1, 3, 1);
        new AdaptiveAvgPool2d(1, 2).backward(context, y, dx);
        assertThat(dx.toFloatArray()).containsExactly(0.75f, 2.25f, 1.5f);
    }

    @Test
    void aSmallImageIsRepeated() {
        Tensor x = Tensor.allocate(context, DType.F32, 1, 1, 1, 2).set(3f, 5);
        Tensor y = Tensor.allocate(context, DType.F32, 1, 2, 2, 2);
        new AdaptiveAvgPool2d(2, 2).forward(context, x, y);
        assertThat(y.toFloatArray()).containsExactly(3, 5, 3, 5, 3, 5, 3, 5);
    }

    @Test
    void agreesWithTheReferenceOnOddShapes() {
        AdaptiveAvgPool2dOracle oracle = new AdaptiveAvgPool2dOracle(2, 9, 5, 33, 7, 7);
        float[] x = Values.normal(1, oracle.xSize());
        float[] dy = Values.normal(2, oracle.ySize());
        AdaptiveAvgPool2d pool = new AdaptiveAvgPool2d(7, 7);
        Tensor y = Tensor.allocate(context, DType.F32, 2, 7, 7, 33);
        pool.forward(context, Tensor.allocate(context, DType.F32, 2, 9, 5, 33).set(x), y);
        Values.assertClose(y, oracle.forward(Values.wide(x)), 1e-6);
        Tensor dx = Tensor.allocate(context, DType.F32, 2, 9, 5, 33);
        pool.backward(context, Tensor.allocate(context, DType.F32, 2, 7, 7, 33).set(dy), dx);
        Values.assertClose(dx, oracle.backward(Values.wide(dy)), 1e-6);
    }

    @Test
    void noPixelsAreNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AdaptiveAvgPool2d(7, 0))
                .withMessage("adaptive pooling to 7 x 0 pixels: sizes are positive");
        Tensor x = Tensor.allocate(context, DType.F32, 1, 0, 3, 1);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AdaptiveAvgPool2d(1, 1).forward(context, x, x))
                .withMessage(
                        "adaptive_avg_pool2d_forward: x has shape [1, 0, 3, 1], expected [N, H, W, C] with pixels");
    }

    @Test
    void aGradientOfAnotherShapeIsNamed() {
        Tensor dy = Tensor.allocate(context, DType.F32, 1, 2, 2, 3);
        Tensor dx = Tensor.allocate(context, DType.F32, 1, 5, 5, 3);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AdaptiveAvgPool2d(3, 3).backward(context, dy, dx))
                .withMessage("adaptive_avg_pool2d_backward: dy is F32 [1, 2, 2, 3], expected F32 [1, 3, 3, 3]");
    }
}
