package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class NormalizeImageTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final NormalizeImage normalize = new NormalizeImage(List.of(0.5f, 0f), List.of(0.25f, 1f));

    @Test
    void scalesBytesAndSubtractsTheMean() {
        Tensor x = Tensor.allocate(context, DType.U8, 1, 1, 2, 2);
        context.upload(MemorySegment.ofArray(new byte[] {(byte) 255, (byte) 255, 0, 51}), x.segment());
        Tensor y = Tensor.allocate(context, DType.F32, 1, 1, 2, 2);
        normalize.forward(context, x, y);
        assertThat(y.toFloatArray()).containsExactly(new float[] {2, 1, -2, 0.2f}, within(1e-6f));
    }

    @Test
    void anImageOfOtherChannelsIsNamed() {
        Tensor x = Tensor.allocate(context, DType.U8, 1, 1, 2, 3);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> normalize.forward(context, x, x))
                .withMessage("normalize_image_forward: x is U8 [1, 1, 2, 3], expected U8 [N, H, W, 2]");
    }

    @Test
    void constantsOfDifferentChannelsAreNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new NormalizeImage(List.of(0f), List.of(1f, 1f)))
                .withMessageContaining("1 and 2 channels");
    }

    @Test
    void aDeviationThatIsNotPositiveIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new NormalizeImage(List.of(0f), List.of(0f)))
                .withMessageContaining("std [0.0] holds 0.0");
    }
}
