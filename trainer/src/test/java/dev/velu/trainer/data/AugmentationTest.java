package dev.velu.trainer.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class AugmentationTest {

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
        byte[] out = new byte[27];
        for (int i = 0; i < 500; i++) {
            Arrays.fill(out, (byte) 99);
            augmentation.apply(numbered(), out, 3, SplitMix.of(5, 0, i));
            seen.add(red(out));
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
    void noneChangesNothing() {
        assertThat(Augmentation.none().changesNothing()).isTrue();
        assertThat(outcomes(Augmentation.none())).containsExactly("123456789");
    }

    @Test
    void trainingFlipsOnlyWhereTheClassAllowsIt() {
        Dataset shapes = DatasetCatalog.open("shapes", null).train();
        assertThat(Augmentation.forTraining(shapes, 32)).isEqualTo(new Augmentation(4, true));
    }

    @Test
    void negativePaddingIsRefused() {
        assertThatThrownBy(() -> new Augmentation(-1, false))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("-1");
    }
}
