package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Graph;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class MaxPool2dTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final MaxPool2d pool = MaxPool2d.of(2, 2, 0);
    private final Tensor x = Tensor.allocate(context, DType.F32, 1, 2, 4, 1).set(1f, 5f, 2f, 0f, 3f, 4f, 0f, 9f);
    private final Tensor y = Tensor.allocate(context, DType.F32, 1, 1, 2, 1);
    private final Tensor argmax = Tensor.allocate(context, DType.U8, 1, 1, 2, 1);

    @Test
    void takesTheLargestOfEveryWindowAndItsPosition() {
        pool.forward(context, x, y, argmax);
        assertThat(y.toFloatArray()).containsExactly(5, 9);
        assertThat(argmax.segment().toArray(ValueLayout.JAVA_BYTE)).containsExactly(1, 3);
    }

    @Test
    void inferenceNeedsNoPositions() {
        pool.forward(context, x, y, null);
        assertThat(y.toFloatArray()).containsExactly(5, 9);
    }

    @Test
    void theGradientGoesToTheLargest() {
        pool.forward(context, x, y, argmax);
        Tensor dy = Tensor.allocate(context, DType.F32, 1, 1, 2, 1).set(7f, 8f);
        Tensor dx = Tensor.allocate(context, DType.F32, 1, 2, 4, 1);
        pool.backward(context, dy, argmax, dx);
        assertThat(dx.toFloatArray()).containsExactly(0, 7, 0, 0, 0, 0, 0, 8);
    }

    @Test
    void anImageSmallerThanTheKernelIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> MaxPool2d.of(3, 1, 0).forward(context, x, y, argmax))
                .withMessage("max_pool2d_forward: x [1, 2, 4, 1] is smaller than the kernel 3 x 3 with padding 0 x 0");
    }

    @Test
    void aGradientOfAnotherShapeIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> pool.backward(context, x, argmax, x))
                .withMessageContaining("dy is F32 [1, 2, 4, 1], expected F32 [1, 1, 2, 1]");
    }

    @Test
    void paddingBeyondHalfTheKernelIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> MaxPool2d.of(3, 2, 2))
                .withMessageContaining("padding 2 x 2")
                .withMessageContaining("kernel 3 x 3");
    }

    @Test
    void aWindowTooLargeForAByteIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> MaxPool2d.of(16, 1, 0))
                .withMessageContaining("255");
    }

    @Test
    void aRecordingWithoutPositionsKeepsNone() {
        Graph graph = new Graph();
        pool.apply(graph, graph.input("x", TensorType.f32(1, 2, 2, 1)), false);
        assertThat(graph.nodes().getFirst().output(1)).isNull();
    }
}
