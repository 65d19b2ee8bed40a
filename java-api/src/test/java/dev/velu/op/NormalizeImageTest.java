package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Graph;
import dev.velu.graph.Value;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
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

    private static final NormalizeImage BYTES = new NormalizeImage(List.of(0f), List.of(1 / 255f));

    /** Images of one channel. */
    private Tensor images(long batch, long height, long width, int... pixels) {
        Tensor x = Tensor.allocate(context, DType.U8, batch, height, width, 1);
        byte[] bytes = new byte[pixels.length];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) pixels[i];
        }
        context.upload(MemorySegment.ofArray(bytes), x.segment());
        return x;
    }

    private float[] placed(Tensor x, Tensor placement, long height, long width) {
        Tensor y = Tensor.allocate(context, DType.F32, x.shape().size(0), height, width, 1);
        BYTES.forward(context, x, placement, y);
        float[] rounded = y.toFloatArray();
        for (int i = 0; i < rounded.length; i++) {
            rounded[i] = Math.round(rounded[i]);
        }
        return rounded;
    }

    @Test
    void everyImageIsCutOutAtItsOwnPlaceAndMirroredIfAsked() {
        Tensor x = images(2, 2, 3, 1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16);
        Tensor placement = Tensor.allocate(context, DType.I32, 2, 3).set(0, 1, 0, 1, 0, 1);
        assertThat(placed(x, placement, 1, 2)).containsExactly(2, 3, 15, 14);
    }

    @Test
    void outsideTheImageIsBlack() {
        Tensor x = images(1, 1, 2, 7, 8);
        Tensor placement = Tensor.allocate(context, DType.I32, 1, 3).set(-1, -1, 0);
        assertThat(placed(x, placement, 3, 4)).containsExactly(0, 0, 0, 0, 0, 7, 8, 0, 0, 0, 0, 0);
    }

    @Test
    void withoutAPlacementTheImageLiesAtTheTopLeft() {
        assertThat(placed(images(1, 2, 2, 1, 2, 3, 4), null, 1, 3)).containsExactly(1, 2, 0);
    }

    @Test
    void aRecordedOneHasItsSizeAndDtype() {
        Graph graph = new Graph();
        Value x = graph.input("x", new TensorType(DType.U8, Shape.of(5, 8, 8, 2)));
        Value placement = graph.input("placement", new TensorType(DType.I32, Shape.of(5, 3)));
        assertThat(normalize
                        .apply(graph, x, placement, new NormalizeImage.Size(4, 6), DType.BF16)
                        .type())
                .isEqualTo(new TensorType(DType.BF16, Shape.of(5, 4, 6, 2)));
        assertThat(normalize.apply(graph, x).type()).isEqualTo(TensorType.f32(5, 8, 8, 2));
        assertThat(normalize.apply(graph, x, DType.BF16).type())
                .isEqualTo(new TensorType(DType.BF16, Shape.of(5, 8, 8, 2)));
    }

    @Test
    void aPlacementOfAnotherBatchIsNamed() {
        Tensor placement = Tensor.allocate(context, DType.I32, 2, 3);
        Tensor y = Tensor.allocate(context, DType.F32, 1, 1, 1, 1);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> BYTES.forward(context, images(1, 1, 1, 0), placement, y))
                .withMessage("normalize_image_forward: placement is I32 [2, 3], expected I32 [1, 3]");
    }

    @Test
    void anOutputOfIntegersIsNamed() {
        Tensor x = images(1, 1, 1, 0);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> BYTES.forward(context, x, x))
                .withMessage("normalize_image_forward: y has dtype U8, expected F32 or BF16");
    }

    @Test
    void aNegativeSizeIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new NormalizeImage.Size(3, -1))
                .withMessage("image size 3 x -1 is negative");
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
