package dev.velu.trainer.augment;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The expected values are those of Pillow and torchvision's functions of the same names, worked out by hand. */
class PixelOperationTest {
    private static byte[] random(int size) {
        byte[] rgb = new byte[size * size * 3];
        new Random(3).nextBytes(rgb);
        return rgb;
    }

    /** A gray image of these values. */
    private static byte[] gray(int... values) {
        byte[] rgb = new byte[values.length * 3];
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) values[i / 3];
        }
        return rgb;
    }

    private static int[] red(byte[] rgb) {
        int[] values = new int[rgb.length / 3];
        for (int i = 0; i < values.length; i++) {
            values[i] = rgb[3 * i] & 255;
        }
        return values;
    }

    private static byte[] apply(PixelOperation operation, byte[] in, double amount) {
        byte[] out = new byte[in.length];
        Arrays.fill(out, (byte) 77);
        operation.apply(in, out, (int) Math.sqrt(in.length / 3.0), amount);
        return out;
    }

    private static PixelOperation named(String name) {
        Tones tones = new Tones();
        return switch (name) {
            case "shearX" -> Affine.shearX();
            case "shearY" -> Affine.shearY();
            case "translateX" -> Affine.translateX();
            case "translateY" -> Affine.translateY();
            case "rotate" -> Affine.rotate();
            case "brightness" -> Enhance::brightness;
            case "contrast" -> Enhance::contrast;
            case "saturation" -> Enhance::saturation;
            case "sharpness" -> Enhance::sharpness;
            case "posterize" -> tones::posterize;
            default -> tones::solarize;
        };
    }

    @ParameterizedTest
    @CsvSource({
        "shearX, 0",
        "shearY, 0",
        "translateX, 0",
        "translateY, 0",
        "rotate, 0",
        "brightness, 1",
        "contrast, 1",
        "saturation, 1",
        "sharpness, 1",
        "posterize, 8",
        "solarize, 256"
    })
    void theNeutralAmountChangesNothing(String name, double neutral) {
        for (int size : new int[] {1, 2, 7, 32}) {
            byte[] image = random(size);
            assertThat(apply(named(name), image, neutral)).isEqualTo(image);
        }
    }

    @Test
    void rotationBy90TurnsCounterClockwise() {
        byte[] turned = apply(Affine.rotate(), gray(1, 2, 3, 4, 5, 6, 7, 8, 9), 90);
        assertThat(red(turned)).containsExactly(3, 6, 9, 2, 5, 8, 1, 4, 7);
    }

    @Test
    void rotationBy45LosesTheCorners() {
        int[] turned = red(apply(Affine.rotate(), gray(1, 2, 3, 4, 5, 6, 7, 8, 9), 45));
        assertThat(turned[4]).isEqualTo(5);
        assertThat(turned[0]).isNotEqualTo(1);
    }

    @Test
    void translationMovesRightAndDownByWholePixels() {
        byte[] image = gray(1, 2, 3, 4, 5, 6, 7, 8, 9);
        assertThat(red(apply(Affine.translateX(), image, 0.4))).containsExactly(0, 1, 2, 0, 4, 5, 0, 7, 8);
        assertThat(red(apply(Affine.translateX(), image, -0.4))).containsExactly(2, 3, 0, 5, 6, 0, 8, 9, 0);
        assertThat(red(apply(Affine.translateY(), image, 0.7))).containsExactly(0, 0, 0, 0, 0, 0, 1, 2, 3);
        assertThat(red(apply(Affine.translateX(), image, 0.3))).isEqualTo(red(image));
    }

    @Test
    void shearMovesTheLowerRowsByMore() {
        byte[] image = gray(1, 2, 3, 4, 5, 6, 7, 8, 9);
        assertThat(red(apply(Affine.shearX(), image, 0.4))).containsExactly(1, 2, 3, 5, 6, 0, 8, 9, 0);
        assertThat(red(apply(Affine.shearY(), image, 0.4))).containsExactly(1, 5, 6, 4, 8, 9, 7, 0, 0);
    }

    @Test
    void brightnessScalesAndStopsAtWhite() {
        assertThat(red(apply(Enhance::brightness, gray(0, 10, 101, 200), 1.5))).containsExactly(0, 15, 151, 255);
        assertThat(red(apply(Enhance::brightness, gray(0, 10, 101, 200), 0.5))).containsExactly(0, 5, 50, 100);
        assertThat(red(apply(Enhance::brightness, gray(0, 10, 101, 200), 0))).containsOnly(0);
    }

    @Test
    void contrastBlendsWithTheMeanGray() {
        assertThat(red(apply(Enhance::contrast, gray(0, 100, 100, 201), 0))).containsOnly(100);
        assertThat(red(apply(Enhance::contrast, gray(0, 100, 100, 200), 0.5))).containsExactly(50, 100, 100, 150);
        assertThat(red(apply(Enhance::contrast, gray(0, 100, 100, 200), 2))).containsExactly(0, 100, 100, 255);
    }

    @Test
    void saturationOfZeroIsTheGrayImageOfTheEyesWeights() {
        assertThat(apply(Enhance::saturation, new byte[] {(byte) 255, 0, 0}, 0)).containsOnly(76);
        assertThat(apply(Enhance::saturation, new byte[] {0, (byte) 255, 0}, 0)).containsOnly((byte) 150);
        assertThat(apply(Enhance::saturation, new byte[] {0, 0, (byte) 255}, 0)).containsOnly(29);
    }

    @Test
    void sharpnessOfZeroSmoothsTheMiddleAndKeepsTheBorder() {
        byte[] dot = gray(0, 0, 0, 0, 130, 0, 0, 0, 0);
        assertThat(red(apply(Enhance::sharpness, dot, 0))).containsExactly(0, 0, 0, 0, 50, 0, 0, 0, 0);
        assertThat(red(apply(Enhance::sharpness, dot, 1.5))).containsExactly(0, 0, 0, 0, 170, 0, 0, 0, 0);
    }

    @ParameterizedTest
    @ValueSource(ints = {4, 6, 8})
    void posterizeKeepsTheUpperBits(int bits) {
        for (int value : red(apply(new Tones()::posterize, random(16), bits))) {
            assertThat(value % (1 << (8 - bits))).isZero();
        }
        assertThat(red(apply(new Tones()::posterize, gray(255, 0, 127, 16), 4))).containsExactly(240, 0, 112, 16);
    }

    @Test
    void solarizeInvertsFromTheThresholdOn() {
        assertThat(red(apply(new Tones()::solarize, gray(0, 127, 128, 255), 128)))
                .containsExactly(0, 127, 127, 0);
    }

    @Test
    void autoContrastStretchesEveryChannelFromBlackToWhite() {
        assertThat(red(apply(new Tones()::autoContrast, gray(50, 60, 75, 101), 0)))
                .containsExactly(0, 50, 125, 255);
        assertThat(red(apply(new Tones()::autoContrast, gray(9, 9, 9, 9), 0))).containsOnly(9);
    }

    @Test
    void equalizeSpreadsAHistogram() {
        // 510 of 1024 pixels are 10, 510 are 20, 4 are 200: step (1024 - 4) / 255 = 4, start 2.
        int[] values = new int[1024];
        Arrays.fill(values, 0, 510, 10);
        Arrays.fill(values, 510, 1020, 20);
        Arrays.fill(values, 1020, 1024, 200);
        int[] spread = red(apply(new Tones()::equalize, gray(values), 0));
        assertThat(spread[0]).isZero();
        assertThat(spread[510]).isEqualTo((2 + 510) / 4);
        assertThat(spread[1020]).isEqualTo((2 + 1020) / 4);
    }

    @Test
    void equalizeLeavesAnImageOfOneValueOrOfFewPixels() {
        assertThat(red(apply(new Tones()::equalize, gray(9, 9, 9, 9), 0))).containsOnly(9);
        assertThat(red(apply(new Tones()::equalize, gray(1, 2, 3, 4), 0))).containsExactly(1, 2, 3, 4);
    }
}
