package dev.velu.trainer.augment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.velu.trainer.random.SplitMix;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class RandomTransformTest {
    private static final int SIZE = 16;
    private static final byte[] FILL = {1, 2, 3};
    private static final Augmentation EVERYTHING = new Augmentation(0.3f, 2, true, 0.4f, 2, 15, 0.5f);

    private static byte[] image() {
        byte[] rgb = new byte[SIZE * SIZE * 3];
        new Random(7).nextBytes(rgb);
        return rgb;
    }

    private static byte[] plain(int value) {
        byte[] rgb = new byte[SIZE * SIZE * 3];
        Arrays.fill(rgb, (byte) value);
        return rgb;
    }

    @Test
    void theSameStreamGivesTheSameImageWhateverCameBefore() {
        Augmenter one = new Augmenter(EVERYTHING, SIZE, FILL);
        Augmenter other = new Augmenter(EVERYTHING, SIZE, FILL);
        for (int i = 0; i < 50; i++) {
            other.apply(plain(i), SplitMix.of(9, 9, i));
            assertThat(other.apply(image(), SplitMix.of(1, 2, i))).isEqualTo(one.apply(image(), SplitMix.of(1, 2, i)));
        }
    }

    @Test
    void everyImageAndEveryEpochIsChangedInItsOwnWay() {
        Augmenter augmenter = new Augmenter(EVERYTHING, SIZE, FILL);
        Set<String> seen = new HashSet<>();
        for (int epoch = 0; epoch < 2; epoch++) {
            for (int i = 0; i < 100; i++) {
                seen.add(Arrays.toString(augmenter.apply(image(), SplitMix.of(1, epoch, i))));
            }
        }
        assertThat(seen).hasSizeGreaterThan(190);
    }

    @Test
    void randAugmentOfMagnitudeZeroOnlyStretchesEqualizesOrInvertsWhite() {
        // Every value from 0 to 255 is there, so stretching changes nothing; equalizing is found by its own result.
        byte[] image = image();
        byte[] equalized = new byte[image.length];
        new Tones().equalize(image, equalized, SIZE, 0);
        RandomOperation operation = new RandomOperation(0);
        for (int i = 0; i < 200; i++) {
            byte[] out = image.clone();
            if (operation.apply(image, out, SIZE, SplitMix.of(4, 0, i))) {
                for (int p = 0; p < out.length; p++) {
                    boolean white = image[p] == -1;
                    assertThat(white || Math.abs((out[p] & 255) - (image[p] & 255)) <= 2 || out[p] == equalized[p])
                            .isTrue();
                }
            }
        }
    }

    @Test
    void randAugmentDrawsAllItsOperations() {
        Set<String> seen = new HashSet<>();
        RandomOperation operation = new RandomOperation(15);
        byte[] image = image();
        for (int i = 0; i < 1000; i++) {
            byte[] out = image.clone();
            operation.apply(image, out, SIZE, SplitMix.of(4, 0, i));
            seen.add(Arrays.toString(out));
        }
        // 14, of which 9 have two directions; stretching and identity give the same here.
        assertThat(seen).hasSizeBetween(20, 23);
    }

    @Test
    void aResizedCropOfAPlainImageIsPlain() {
        byte[] out = new byte[SIZE * SIZE * 3];
        ResizedCrop crop = new ResizedCrop(0.1f);
        for (int i = 0; i < 100; i++) {
            assertThat(crop.apply(plain(200), out, SIZE, SplitMix.of(2, 0, i))).isTrue();
            assertThat(out).containsOnly((byte) 200);
        }
    }

    @Test
    void aCropOfTheWholeImageIsTheImageAndOneOfHalfItIsInterpolated() {
        byte[] image = image();
        byte[] out = new byte[image.length];
        new ResizedCrop(1).enlarge(image, out, SIZE, 0, 0, SIZE, SIZE);
        assertThat(out).isEqualTo(image);

        // Columns 0 and 100 enlarged from 2 to 4: centres at -0.25, 0.25, 0.75, 1.25 of the input.
        byte[] two = new byte[48];
        for (int y = 0; y < 4; y++) {
            Arrays.fill(two, y * 12 + 3, y * 12 + 6, (byte) 100);
        }
        byte[] four = new byte[48];
        new ResizedCrop(1).enlarge(two, four, 4, 0, 1, 2, 2);
        assertThat(new int[] {four[0], four[3], four[6], four[9]}).containsExactly(0, 25, 75, 100);
    }

    @Test
    void erasingCoversARectangleOfTheAreaThatItIsAllowed() {
        RandomErasing erasing = new RandomErasing(1, FILL);
        byte[] out = new byte[SIZE * SIZE * 3];
        for (int i = 0; i < 200; i++) {
            assertThat(erasing.apply(plain(50), out, SIZE, SplitMix.of(3, 0, i)))
                    .isTrue();
            int erased = 0;
            for (int p = 0; p < out.length; p += 3) {
                if (out[p] == FILL[0] && out[p + 1] == FILL[1] && out[p + 2] == FILL[2]) {
                    erased++;
                } else {
                    assertThat(out[p]).isEqualTo((byte) 50);
                }
            }
            assertThat((double) erased / (SIZE * SIZE)).isBetween(0.01, 0.38);
        }
    }

    @Test
    void erasingHappensAsOftenAsItsProbability() {
        RandomErasing erasing = new RandomErasing(0.25f, FILL);
        byte[] out = new byte[SIZE * SIZE * 3];
        int erased = 0;
        for (int i = 0; i < 4000; i++) {
            if (erasing.apply(plain(50), out, SIZE, SplitMix.of(3, 1, i))) {
                erased++;
            }
        }
        assertThat(erased / 4000.0).isCloseTo(0.25, within(0.03));
    }

    @Test
    void colorJitterOfAGrayImageLeavesItGray() {
        byte[] out = new byte[SIZE * SIZE * 3];
        Set<Byte> seen = new HashSet<>();
        for (int i = 0; i < 100; i++) {
            assertThat(new ColorJitter(0.5f).apply(plain(100), out, SIZE, SplitMix.of(6, 0, i)))
                    .isTrue();
            for (byte value : out) {
                assertThat(value).isEqualTo(out[0]);
            }
            assertThat(out[0] & 255).isBetween(49, 151);
            seen.add(out[0]);
        }
        assertThat(seen).hasSizeGreaterThan(30);
    }
}
