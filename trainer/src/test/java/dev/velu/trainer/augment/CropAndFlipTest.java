package dev.velu.trainer.augment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.velu.trainer.random.SplitMix;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class CropAndFlipTest {

    /** Pixel (y, x) is {@code 1 + 3 y + x} in all channels. */
    private static byte[] numbered() {
        byte[] rgb = new byte[27];
        for (int i = 0; i < 27; i++) {
            rgb[i] = (byte) (1 + i / 3);
        }
        return rgb;
    }

    private static String red(byte[] rgb) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < rgb.length; i += 3) {
            assertThat(rgb[i + 1]).isEqualTo(rgb[i]);
            text.append(rgb[i]);
        }
        return text.toString();
    }

    private static Set<String> outcomes(Augmentation augmentation) {
        Set<String> seen = new HashSet<>();
        Augmenter augmenter = new Augmenter(augmentation, 3, new byte[3]);
        for (int i = 0; i < 500; i++) {
            seen.add(red(augmenter.apply(numbered(), SplitMix.of(5, 0, i))));
        }
        return seen;
    }

    @Test
    void flipGivesTheImageOrItsMirrorImage() {
        assertThat(outcomes(new Augmentation(0, true))).containsExactlyInAnyOrder("123456789", "321654987");
    }

    @Test
    void cropByOneGivesTheNineShiftsPaddedWithZero() {
        assertThat(outcomes(new Augmentation(1, false)))
                .containsExactlyInAnyOrder(
                        "000012045",
                        "000123456",
                        "000230560",
                        "012045078",
                        "123456789",
                        "230560890",
                        "045078000",
                        "456789000",
                        "560890000");
    }

    @Test
    void cropAndFlipTogetherGiveTwiceAsMany() {
        assertThat(outcomes(new Augmentation(1, true))).hasSize(18);
    }

    @Test
    void paddingWiderThanTheImageMayShowNothing() {
        assertThat(outcomes(new Augmentation(7, false))).contains("000000000");
    }

    @Test
    void everyByteOfAChangedImageIsWritten() {
        byte[] out = new byte[27];
        for (int i = 0; i < 100; i++) {
            Arrays.fill(out, (byte) 99);
            if (new CropAndFlip(2, true).apply(numbered(), out, 3, SplitMix.of(1, 0, i))) {
                assertThat(out).doesNotContain((byte) 99);
            }
        }
    }

    @Test
    void noneChangesNothing() {
        assertThat(new Augmenter(Augmentation.none(), 3, new byte[3]).changesNothing())
                .isTrue();
        assertThat(outcomes(Augmentation.none())).containsExactly("123456789");
    }

    @Test
    void valuesOutsideTheirRangeAreRefused() {
        assertThatThrownBy(() -> new Augmentation(-1, false)).hasMessageContaining("crop padding -1");
        assertThatThrownBy(() -> new Augmentation(0, 0, false, 0, 2, 31, 0))
                .hasMessage("random augment magnitude 31 is outside 0..30");
        assertThatThrownBy(() -> new Augmentation(1.5f, 0, false, 0, 0, 0, 0))
                .hasMessage("random resized crop 1.5 is outside [0, 1]");
    }
}
