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

class AddTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    @Test
    void sumsTwoTensors() {
        Tensor a = Tensor.allocate(context, DType.F32, 2, 2).set(1f, 2f, 3f, 4f);
        Tensor b = Tensor.allocate(context, DType.F32, 2, 2).set(10f, 20f, 30f, 40f);
        new Add().forward(context, a, b, b);
        assertThat(b.toFloatArray()).containsExactly(11, 22, 33, 44);
    }

    @Test
    void anotherShapeIsNamed() {
        Tensor a = Tensor.allocate(context, DType.F32, 2, 2);
        Tensor b = Tensor.allocate(context, DType.F32, 4);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Add().forward(context, a, b, a))
                .withMessage("add_forward: b is F32 [4], expected F32 [2, 2]");
    }

    @Test
    void aMissingOutputIsNamed() {
        Tensor a = Tensor.allocate(context, DType.F32, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Add().forward(context, a, a, Tensor.allocate(context, DType.I32, 2)))
                .withMessage("add_forward: output 0 is I32 [2], expected F32 [2]");
    }
}
