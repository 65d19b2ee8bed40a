package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class ActivationStatisticsTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 2, Isa.AUTO);

    private Tensor tensor(float[] values, long... sizes) {
        return Tensor.allocate(context, DType.F32, sizes).set(values);
    }

    @Test
    void reluOfTwoRows() {
        Tensor x = tensor(new float[] {-1, 2, 0, -3, 4, 5}, 2, 3);
        Tensor y = tensor(new float[] {0, 2, 0, 0, 4, 5}, 2, 3);
        Tensor values = Tensor.allocate(context, DType.F32, 6);
        Tensor counts = Tensor.allocate(context, DType.I64, 2);
        new ActivationStatistics(Pointwise.RELU).measure(context, x, y, null, values, counts);
        double std = Math.sqrt(45 / 6.0 - Math.pow(11 / 6.0, 2));
        Values.assertClose(
                values, new double[] {11 / 6.0, std, Math.pow(11 / 6.0, 2) + (std - 1) * (std - 1), 1, 1, 1}, 1e-6);
        long[] numbers = new long[2];
        context.download(counts.segment(), MemorySegment.ofArray(numbers));
        assertThat(numbers).containsExactly(1, 3);
    }

    @Test
    void aOfAnotherTypeIsNamed() {
        Tensor x = tensor(new float[6], 2, 3);
        Tensor a = tensor(new float[6], 3, 2);
        Tensor values = Tensor.allocate(context, DType.F32, 6);
        Tensor counts = Tensor.allocate(context, DType.I64, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new ActivationStatistics(Pointwise.GELU).measure(context, x, a, null, values, counts))
                .withMessageContaining("a is F32 [3, 2]");
    }
}
