package dev.velu.trainer.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ShapesDatasetTest {

    private static DatasetPair open(ShapesOptions options) {
        return DatasetCatalog.open("shapes", null, options);
    }

    private static byte[] pixels(Dataset dataset, int index) {
        try {
            return dataset.image(index).rgb();
        } catch (CorruptImageException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void drawsTheCountsAndSizeAskedFor() throws CorruptImageException {
        DatasetPair pair = open(new ShapesOptions(30, 20, 40, 1));
        assertThat(pair.train().size()).isEqualTo(30);
        assertThat(pair.eval().size()).isEqualTo(20);
        assertThat(pair.train().image(29).width()).isEqualTo(40);
        assertThat(pair.train().classNames()).hasSize(10).isSorted();
        assertThat(pair.train().label(13)).isEqualTo(3);
        assertThat(pair.train().horizontalFlip()).isTrue();
    }

    @Test
    void imageDependsOnSeedAndIndexOnly() {
        Dataset one = open(new ShapesOptions(100, 1, 32, 1)).train();
        Dataset again = open(new ShapesOptions(5000, 1, 32, 1)).train();
        byte[] alone = pixels(one, 57);
        List<byte[]> parallel = IntStream.range(0, 100)
                .parallel()
                .mapToObj(i -> pixels(again, i))
                .toList();
        assertThat(parallel.get(57)).isEqualTo(alone);
        assertThat(pixels(open(new ShapesOptions(100, 1, 32, 2)).train(), 57)).isNotEqualTo(alone);
    }

    @Test
    void splitsShareNoImage() {
        DatasetPair pair = open(new ShapesOptions(200, 200, 32, 3));
        Set<Integer> hashes = new HashSet<>();
        for (int i = 0; i < 200; i++) {
            hashes.add(Arrays.hashCode(pixels(pair.train(), i)));
            hashes.add(Arrays.hashCode(pixels(pair.eval(), i)));
        }
        assertThat(hashes).hasSize(400);
    }

    @Test
    void normalizationIsThatOfTheImages() {
        Dataset train = open(ShapesOptions.defaults().withImageSize(16)).train();
        double sum = 0;
        double squares = 0;
        long count = 0;
        for (int i = 0; i < 1000; i++) {
            for (byte value : pixels(train, i)) {
                double x = (value & 255) / 255.0;
                sum += x;
                squares += x * x;
                count++;
            }
        }
        double mean = sum / count;
        assertThat(mean).isBetween(0.40, 0.44);
        assertThat(Math.sqrt(squares / count - mean * mean)).isBetween(0.27, 0.31);
    }

    /** A change of a figure, a colour or the noise would silently make old results incomparable. */
    @Test
    void firstImagesAreTheOnesTheyAlwaysWere() {
        Dataset train = open(ShapesOptions.defaults().withImageSize(32)).train();
        double[] means = {56.06, 137.06, 105.46, 75.60, 113.49};
        for (int i = 0; i < means.length; i++) {
            int sum = 0;
            for (byte value : pixels(train, i)) {
                sum += value & 255;
            }
            // Other Java runtimes may shade edges a little differently.
            assertThat(sum / 3072.0).as("mean of image %d", i).isCloseTo(means[i], within(0.25));
        }
    }

    @Test
    void countsAndSizesOutOfRangeAreRefused() {
        assertThatThrownBy(() -> new ShapesOptions(0, 1, 32, 0))
                .isInstanceOf(DataException.class)
                .hasMessageContaining("0");
        assertThatThrownBy(() -> new ShapesOptions(1, -3, 32, 0))
                .isInstanceOf(DataException.class)
                .hasMessageContaining("-3");
        assertThatThrownBy(() -> new ShapesOptions(1, 1, 7, 0))
                .isInstanceOf(DataException.class)
                .hasMessageContaining("8 to");
    }
}
