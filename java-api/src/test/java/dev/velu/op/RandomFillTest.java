package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.device.Status;
import dev.velu.device.VeluException;
import dev.velu.nn.Initializer;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class RandomFillTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private static final int COUNT = 20_000;

    private final Tensor out = Tensor.allocate(context, DType.F32, COUNT);

    private float[] fill(Initializer initializer, long seed, long stream) {
        new RandomFill(initializer, seed, stream).fill(context, out);
        return out.toFloatArray();
    }

    private static double mean(float[] values) {
        double sum = 0;
        for (float value : values) {
            sum += value;
        }
        return sum / values.length;
    }

    @Test
    void uniformNumbersFillTheirRange() {
        float[] values = fill(new Initializer.Uniform(-1, 3), 1, 0);
        for (float value : values) {
            assertThat(value).isGreaterThanOrEqualTo(-1).isLessThan(3);
        }
        assertThat(mean(values)).isCloseTo(1, within(0.05));
    }

    @Test
    void normalNumbersHaveTheirMean() {
        assertThat(mean(fill(new Initializer.Normal(5, 2), 1, 0))).isCloseTo(5, within(0.1));
    }

    @Test
    void truncatedNumbersStayInside() {
        for (float value : fill(new Initializer.TruncatedNormal(0, 1, -0.5f, 2), 1, 0)) {
            assertThat(value).isBetween(-0.5f, 2f);
        }
    }

    @Test
    void constantsAreExact() {
        assertThat(fill(new Initializer.Constant(0.1), 0, 0)).containsOnly(0.1f);
        Tensor counters = Tensor.allocate(context, DType.F64, 2);
        new RandomFill(new Initializer.Constant(0.1), 0, 0).fill(context, counters);
        assertThat(counters.segment().toArray(ValueLayout.JAVA_DOUBLE)).containsOnly(0.1);
    }

    @Test
    void theSameSeedAndStreamGiveTheSameNumbers() {
        Initializer normal = new Initializer.Normal(0, 1);
        float[] first = fill(normal, 7, 3);
        assertThat(fill(normal, 7, 3)).isEqualTo(first);
        assertThat(fill(normal, 8, 3)).isNotEqualTo(first);
        assertThat(fill(normal, 7, 4)).isNotEqualTo(first);
    }

    @Test
    void aSliceIsFilledAndItsNeighboursAreLeft() {
        RandomFill.fill(context, out.segment().asSlice(4, 8), 2, new Initializer.Constant(1), 0, 0);
        assertThat(Arrays.copyOf(out.toFloatArray(), 4)).containsExactly(0, 1, 1, 0);
    }

    @Test
    void memoryThatIsTooSmallIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() ->
                        RandomFill.fill(context, out.segment().asSlice(0, 8), 3, new Initializer.Uniform(0, 1), 0, 0))
                .withMessageContaining("8 bytes is too small");
    }

    @Test
    void randomIntegersAreRefused() {
        Tensor counts = Tensor.allocate(context, DType.I64, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new RandomFill(new Initializer.Uniform(0, 1), 0, 0).fill(context, counts))
                .withMessageContaining("I64 [2], expected F32");
    }

    @Test
    void aRangeThatIsReversedIsNamed() {
        assertThatExceptionOfType(VeluException.class)
                .isThrownBy(() -> fill(new Initializer.Uniform(2, 1), 0, 0))
                .satisfies(e -> assertThat(e.status()).isEqualTo(Status.INVALID_ARGUMENT));
    }
}
