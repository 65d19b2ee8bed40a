package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.device.VeluException;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class LerpTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final Tensor weight = Tensor.allocate(context, DType.F32);
    private final Tensor values = Tensor.allocate(context, DType.F32, 2).set(4f, -4f);
    private final Tensor average = Tensor.allocate(context, DType.F32, 2).set(0f, 4f);

    @Test
    void goesByTheWeightTowardsTheValues() {
        new Lerp().step(context, weight.set(0.25f), values, average);
        assertThat(average.toFloatArray()).containsExactly(1, 2);
    }

    @Test
    void aWeightOfOneTakesTheValuesWhateverTheAverageWas() {
        average.set(Float.NaN, Float.POSITIVE_INFINITY);
        new Lerp().step(context, weight.set(1f), values, average);
        assertThat(average.toFloatArray()).containsExactly(4, -4);
    }

    @Test
    void aWeightOutsideItsRangeIsNamed() {
        assertThatExceptionOfType(VeluException.class)
                .isThrownBy(() -> new Lerp().step(context, weight.set(1.5f), values, average))
                .withMessageContaining("the weight is 1.5; it must be 0 to 1");
    }

    @Test
    void anAverageOfAnotherLengthIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Lerp().step(context, weight, values, Tensor.allocate(context, DType.F32, 3)))
                .withMessage("lerp: average is F32 [3], expected F32 [2]");
    }
}
