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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import us.hebi.matlab.mat.format.Mat5;
import us.hebi.matlab.mat.format.Mat5File;
import us.hebi.matlab.mat.types.MatlabType;
import us.hebi.matlab.mat.types.Matrix;
import us.hebi.matlab.mat.types.Sink;
import us.hebi.matlab.mat.types.Sinks;

class SvhnDatasetTest {

    @TempDir
    private Path dataDir;

    private Path folder;

    @BeforeEach
    void writeSet() throws IOException {
        folder = Files.createDirectories(dataDir.resolve("svhn"));
        write("train_32x32.mat", images(3), labels(1, 10, 9), 6);
        write("test_32x32.mat", images(1), labels(10), 0);
    }

    /** Red is the row, green the column, blue the image. */
    private static Matrix images(int count) {
        Matrix x = Mat5.newMatrix(new int[] {32, 32, 3, count}, MatlabType.UInt8);
        for (int i = 0; i < count; i++) {
            for (int row = 0; row < 32; row++) {
                for (int column = 0; column < 32; column++) {
                    x.setByte(new int[] {row, column, 0, i}, (byte) row);
                    x.setByte(new int[] {row, column, 1, i}, (byte) column);
                    x.setByte(new int[] {row, column, 2, i}, (byte) (200 + i));
                }
            }
        }
        return x;
    }

    private static Matrix labels(int... values) {
        Matrix y = Mat5.newMatrix(values.length, 1, MatlabType.UInt8);
        for (int i = 0; i < values.length; i++) {
            y.setInt(i, values[i]);
        }
        return y;
    }

    private void write(String name, Matrix x, Matrix y, int deflate) throws IOException {
        Mat5File mat = Mat5.newMatFile();
        if (x != null) {
            mat.addArray("X", x);
        }
        mat.addArray("y", y);
        Files.deleteIfExists(folder.resolve(name));
        try (Sink sink = Sinks.newStreamingFile(folder.resolve(name).toFile())) {
            Mat5.newWriter(sink).setDeflateLevel(deflate).writeMat(mat);
        }
    }

    private void assertRefused(String... fragments) {
        assertThatThrownBy(() -> DatasetCatalog.open("svhn", dataDir))
                .isInstanceOf(DataException.class)
                .message()
                .contains(fragments)
                .doesNotContain("\n");
    }

    @Test
    void readsCompressedAndPlainFiles() throws CorruptImageException {
        try (DatasetPair pair = DatasetCatalog.open("svhn", dataDir)) {
            assertThat(pair.train().size()).isEqualTo(3);
            assertThat(pair.eval().size()).isEqualTo(1);
            DecodedImage image = pair.train().image(2);
            int at = 3 * (32 * 7 + 20);
            assertThat(Arrays.copyOfRange(image.rgb(), at, at + 3)).containsExactly(7, 20, (byte) 202);
        }
    }

    @Test
    void labelTenIsTheDigitZero() {
        try (DatasetPair pair = DatasetCatalog.open("svhn", dataDir)) {
            assertThat(pair.train().classNames().get(pair.train().label(1))).isEqualTo("0");
            assertThat(pair.train().classNames().get(pair.train().label(2))).isEqualTo("9");
        }
    }

    @Test
    void aMissingFileIsNamedWithTheCommandThatFetchesIt() throws IOException {
        Files.delete(folder.resolve("test_32x32.mat"));
        assertRefused("test_32x32.mat", "velu data fetch svhn");
    }

    @Test
    void aWrongLabelIsRefused() throws IOException {
        write("train_32x32.mat", images(3), labels(1, 11, 9), 6);
        assertRefused("train_32x32.mat", "label 11 at image 1", "1 to 10");
    }

    @Test
    void differentNumbersOfImagesAndLabelsAreRefused() throws IOException {
        write("train_32x32.mat", images(3), labels(1, 2), 6);
        assertRefused("3 images", "2 labels");
    }

    @Test
    void anotherShapeIsRefused() throws IOException {
        write("train_32x32.mat", Mat5.newMatrix(new int[] {32, 32, 3}, MatlabType.UInt8), labels(1), 6);
        assertRefused("[32, 32, 3]", "expected uint8 [32, 32, 3, N]");
    }

    @Test
    void aFileWithoutImagesIsRefused() throws IOException {
        write("train_32x32.mat", null, labels(1), 6);
        assertRefused("train_32x32.mat", "no array X");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 60, 200, 1000})
    void aTruncatedFileIsRefused(int bytes) throws IOException {
        Path file = folder.resolve("train_32x32.mat");
        Files.write(file, Arrays.copyOf(Files.readAllBytes(file), bytes));
        assertRefused("train_32x32.mat", "velu data fetch svhn");
    }

    @Test
    void anotherFileIsRefused() throws IOException {
        Files.write(
                folder.resolve("train_32x32.mat"),
                "<html>not found</html>".repeat(50).getBytes());
        assertRefused("train_32x32.mat", "not a complete MATLAB 5 file");
    }
}
