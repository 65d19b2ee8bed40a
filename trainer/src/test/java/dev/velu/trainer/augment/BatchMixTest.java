package dev.velu.trainer.augment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.velu.trainer.random.SplitMix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class BatchMixTest {
    private static final int SIZE = 8;
    private static final int IMAGE = SIZE * SIZE * 3;
    private static final int ROWS = 5;
    private static final int COUNT = 4;

    /** Image {@code n} is plain of {@code 50 n}, its label is n; the last row holds none. */
    private static final class Mixed {
        final MemorySegment images = Arena.ofAuto().allocate(ROWS * IMAGE);
        final MemorySegment labels = Arena.ofAuto().allocate(ROWS * 4L, 4);
        final MemorySegment others = Arena.ofAuto().allocate(ROWS * 4L, 4);
        final MemorySegment shares = Arena.ofAuto().allocate(ROWS * 4L, 4);

        Mixed(Mixing mixing, int count, SplitMix random) {
            for (int row = 0; row < ROWS; row++) {
                images.asSlice((long) row * IMAGE, IMAGE).fill(row < count ? (byte) (50 * row) : 0);
                labels.setAtIndex(ValueLayout.JAVA_INT, row, row < count ? row : -1);
            }
            new BatchMix(mixing, SIZE).apply(images, labels, count, others, shares, random);
        }

        int value(int row, int pixel) {
            return images.get(ValueLayout.JAVA_BYTE, (long) row * IMAGE + pixel * 3L) & 255;
        }

        float share(int row) {
            return shares.getAtIndex(ValueLayout.JAVA_FLOAT, row);
        }

        int[] otherLabels() {
            return others.toArray(ValueLayout.JAVA_INT);
        }
    }

    @Test
    void everyImageIsMixedWithTheOneBeforeAndEmptyRowsAreLeft() {
        Mixed mixed = new Mixed(new Mixing(1, 0), COUNT, SplitMix.of(1, 0, 0));

        assertThat(mixed.otherLabels()).containsExactly(3, 0, 1, 2, -1);
        assertThat(mixed.labels.toArray(ValueLayout.JAVA_INT)).containsExactly(0, 1, 2, 3, -1);
        assertThat(mixed.share(4)).isEqualTo(1);
        assertThat(mixed.value(4, 0)).isZero();
    }

    @Test
    void mixupBlendsByTheShareOfTheLabel() {
        for (int i = 0; i < 50; i++) {
            Mixed mixed = new Mixed(new Mixing(0.4f, 0), COUNT, SplitMix.of(1, 0, i));
            for (int row = 0; row < COUNT; row++) {
                double other = 50 * ((row + COUNT - 1) % COUNT);
                double expected = mixed.share(row) * 50 * row + (1 - mixed.share(row)) * other;
                assertThat((double) mixed.value(row, 17)).isCloseTo(expected, within(0.51));
            }
        }
    }

    @Test
    void cutmixShareIsTheAreaThatIsLeft() {
        double least = 1;
        for (int i = 0; i < 200; i++) {
            Mixed mixed = new Mixed(new Mixing(0, 1), COUNT, SplitMix.of(1, 0, i));
            for (int row = 0; row < COUNT; row++) {
                int own = 0;
                for (int pixel = 0; pixel < SIZE * SIZE; pixel++) {
                    int other = (row + COUNT - 1) % COUNT;
                    assertThat(mixed.value(row, pixel)).isIn(50 * row, 50 * other);
                    own += mixed.value(row, pixel) == 50 * row ? 1 : 0;
                }
                assertThat((double) mixed.share(row)).isCloseTo(own / (double) (SIZE * SIZE), within(1e-6));
                least = Math.min(least, mixed.share(row));
            }
        }
        assertThat(least).isLessThan(0.5);
    }

    @Test
    void withBothHalfOfTheBatchesGetTheOneAndHalfTheOther() {
        int blended = 0;
        for (int i = 0; i < 200; i++) {
            Mixed mixed = new Mixed(new Mixing(1, 1), COUNT, SplitMix.of(1, 0, i));
            for (int pixel = 0; pixel < SIZE * SIZE; pixel++) {
                if (mixed.value(1, pixel) != 50 && mixed.value(1, pixel) != 0) {
                    blended++;
                    break;
                }
            }
        }
        assertThat(blended).isBetween(70, 130);
    }

    @Test
    void aSingleImageStaysItself() {
        Mixed mixed = new Mixed(new Mixing(1, 0), 1, SplitMix.of(1, 0, 0));

        assertThat(mixed.share(0)).isEqualTo(1);
        assertThat(mixed.otherLabels()[0]).isZero();
    }

    @Test
    void parametersOutsideTheirRangeAreRefused() {
        assertThatThrownBy(() -> new Mixing(-0.1f, 0)).hasMessage("mixup -0.1 is outside [0, 1000]");
        assertThatThrownBy(() -> new Mixing(0, Float.NaN)).hasMessage("cutmix NaN is outside [0, 1000]");
    }
}
