package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Graph;
import dev.velu.graph.Value;
import dev.velu.tensor.BFloat16;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class CastTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final Cast toBFloat16 = new Cast(DType.BF16);
    private final Cast toFloat32 = new Cast(DType.F32);

    @Test
    void roundsToTheNearestBfloat16AndBackExactly() {
        float[] values = new float[1003];
        float[] rounded = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) Math.sinh((i - 500) / 40.0);
            rounded[i] = BFloat16.round(values[i]);
        }
        values[7] = 0x1.01p0f; // the middle of 1 and the next: to the even one
        rounded[7] = 1;
        values[8] = Float.NEGATIVE_INFINITY;
        rounded[8] = Float.NEGATIVE_INFINITY;
        values[9] = Float.NaN;
        rounded[9] = Float.NaN;
        Tensor x = Tensor.allocate(context, DType.F32, 17, 59).set(values);
        Tensor y = Tensor.allocate(context, DType.BF16, 17, 59);
        Tensor back = Tensor.allocate(context, DType.F32, 17, 59);
        toBFloat16.forward(context, x, y);
        toFloat32.forward(context, y, back);
        assertThat(back.toFloatArray()).containsExactly(rounded);
    }

    @Test
    void aTensorWithoutElementsIsAllowed() {
        Tensor y = Tensor.allocate(context, DType.BF16, 0, 3);
        toBFloat16.forward(context, Tensor.allocate(context, DType.F32, 0, 3), y);
        assertThat(y.toFloatArray()).isEmpty();
    }

    @Test
    void aValueOfTheDtypeIsNotRecordedAgain() {
        Graph graph = new Graph();
        Value x = graph.input("x", TensorType.f32(2));
        assertThat(toFloat32.apply(graph, x)).isSameAs(x);
        assertThat(graph.nodes()).isEmpty();
        assertThat(toBFloat16.apply(graph, x).type()).isEqualTo(new TensorType(DType.BF16, Shape.of(2)));
        assertThat(graph.nodes()).hasSize(1);
    }

    @Test
    void integersAreNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Cast(DType.I32))
                .withMessage("cannot cast to I32; cast to F32 or BF16");
        Tensor x = Tensor.allocate(context, DType.U8, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> toFloat32.forward(context, x, x))
                .withMessage("cast_forward: x has dtype U8, expected F32 or BF16");
    }

    @Test
    void anOutputOfAnotherTypeIsNamed() {
        Tensor x = Tensor.allocate(context, DType.F32, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> toBFloat16.forward(context, x, x))
                .withMessage("cast_forward: output 0 is F32 [2], expected BF16 [2]");
    }
}
