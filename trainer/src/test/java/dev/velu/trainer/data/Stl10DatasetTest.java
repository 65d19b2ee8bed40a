package dev.velu.trainer.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class Stl10DatasetTest {

    private static final int PLANE = 96 * 96;

    @TempDir
    private Path dataDir;

    private Path folder;

    @BeforeEach
    void writeSet() throws IOException {
        folder = Files.createDirectories(dataDir.resolve("stl10/stl10_binary"));
        Files.write(folder.resolve("train_X.bin"), images(3));
        Files.write(folder.resolve("train_y.bin"), new byte[] {1, 10, 5});
        Files.write(folder.resolve("test_X.bin"), images(1));
        Files.write(folder.resolve("test_y.bin"), new byte[] {2});
    }

    /** Red is the row, green the column, blue the image; columns first. */
    private static byte[] images(int count) {
        byte[] bytes = new byte[3 * PLANE * count];
        for (int i = 0; i < count; i++) {
            for (int p = 0; p < PLANE; p++) {
                bytes[3 * PLANE * i + p] = (byte) (p % 96);
                bytes[3 * PLANE * i + PLANE + p] = (byte) (p / 96);
                bytes[3 * PLANE * i + 2 * PLANE + p] = (byte) i;
            }
        }
        return bytes;
    }

    private void assertRefused(String... fragments) {
        assertThatThrownBy(() -> DatasetCatalog.open("stl10", dataDir))
                .isInstanceOf(DataException.class)
                .message()
                .contains(fragments)
                .doesNotContain("\n");
    }

    @Test
    void readsColumnsAsColumns() throws CorruptImageException {
        try (DatasetPair pair = DatasetCatalog.open("stl10", dataDir)) {
            assertThat(pair.train().size()).isEqualTo(3);
            assertThat(pair.train().label(1)).isEqualTo(9);
            assertThat(pair.eval().label(0)).isEqualTo(1);
            DecodedImage image = pair.train().image(2);
            int at = 3 * (96 * 7 + 50);
            assertThat(Arrays.copyOfRange(image.rgb(), at, at + 3)).containsExactly(7, 50, 2);
        }
    }

    @Test
    void aMissingFileIsNamedWithTheCommandThatFetchesIt() throws IOException {
        Files.delete(folder.resolve("test_y.bin"));
        assertRefused("test_y.bin", "velu data fetch stl10");
    }

    @Test
    void aTruncatedFileIsNamedWithItsLength() throws IOException {
        Files.write(folder.resolve("train_X.bin"), Arrays.copyOf(images(3), 3 * 3 * PLANE - 5));
        assertRefused("train_X.bin", "82939 bytes", "27648", "truncated");
    }

    @Test
    void differentNumbersOfImagesAndLabelsAreRefused() throws IOException {
        Files.write(folder.resolve("train_y.bin"), new byte[] {1, 2});
        assertRefused("3 images", "2 labels");
    }

    @Test
    void labelsCountFromOne() throws IOException {
        Files.write(folder.resolve("train_y.bin"), new byte[] {1, 0, 5});
        assertRefused("label 0 at image 1", "1 to 10");
    }
}
