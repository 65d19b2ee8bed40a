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

class TopKTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final Tensor logits = Tensor.allocate(context, DType.F32, 2, 3).set(1f, 2f, 3f, 9f, 8f, 7f);
    private final Tensor labels = Tensor.allocate(context, DType.I32, 2).set(1, 0);
    private final Tensor count = Tensor.allocate(context, DType.I64);

    @Test
    void countsRowsWhoseLabelIsAmongTheLargest() {
        new TopK(1).count(context, logits, labels, count);
        assertThat(count.item()).isEqualTo(1);
        new TopK(2).count(context, logits, labels, count);
        assertThat(count.item()).isEqualTo(2);
    }

    @Test
    void rowsWithoutALabelDoNotCount() {
        new TopK(5).count(context, logits, labels.set(-1, 0), count);
        assertThat(count.item()).isEqualTo(1);
    }

    @Test
    void kBelowOneIsNamed() {
        assertThatIllegalArgumentException().isThrownBy(() -> new TopK(0)).withMessage("k 0 is not positive");
    }

    @Test
    void aCountOfAnotherTypeIsNamed() {
        Tensor floats = Tensor.allocate(context, DType.F32);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new TopK(1).count(context, logits, labels, floats))
                .withMessage("top_k_count: output 0 is F32 [], expected I64 []");
    }

    @Test
    void floatLabelsAreNamed() {
        Tensor floats = Tensor.allocate(context, DType.F32, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new TopK(1).count(context, logits, floats, count))
                .withMessage("top_k_count: labels is F32 [2], expected I32 [2]");
    }
}
