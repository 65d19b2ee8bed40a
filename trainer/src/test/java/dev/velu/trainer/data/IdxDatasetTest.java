package dev.velu.trainer.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class IdxDatasetTest {

    @TempDir
    private Path folder;

    @BeforeEach
    void writeFourFiles() throws IOException {
        write("train-images-idx3-ubyte", SampleFiles.idxImages(12));
        write("train-labels-idx1-ubyte", SampleFiles.idxLabels(12));
        write("t10k-images-idx3-ubyte.gz", SampleFiles.gzip(SampleFiles.idxImages(3)));
        write("t10k-labels-idx1-ubyte.gz", SampleFiles.gzip(SampleFiles.idxLabels(3)));
    }

    private void write(String name, byte[] bytes) throws IOException {
        Files.write(folder.resolve(name), bytes);
    }

    private void assertRefused(String... fragments) {
        assertThatThrownBy(() -> DatasetCatalog.open("mnist", folder))
                .isInstanceOf(DataException.class)
                .message()
                .contains(fragments)
                .doesNotContain("\n");
    }

    @Test
    void readsPlainAndCompressedFiles() throws CorruptImageException {
        try (DatasetPair pair = DatasetCatalog.open("mnist", folder)) {
            assertThat(pair.train().size()).isEqualTo(12);
            assertThat(pair.eval().size()).isEqualTo(3);
            assertThat(pair.train().label(11)).isEqualTo(1);
            assertThat(pair.eval().classNames()).hasSize(10).startsWith("0").endsWith("9");
            assertThat(pair.train().horizontalFlip()).isFalse();
            DecodedImage image = pair.eval().image(1);
            assertThat(image.width()).isEqualTo(3);
            assertThat(image.height()).isEqualTo(2);
            assertThat(image.rgb()).startsWith(10, 10, 10, 11, 11, 11).endsWith(15, 15, 15);
        }
    }

    @Test
    void findsTheFilesInTheFolderMnistBelow() throws IOException {
        Path parent = Files.createDirectory(folder.resolve("data"));
        Path below = Files.createDirectory(parent.resolve("mnist"));
        for (String name : new String[] {
            "train-images-idx3-ubyte",
            "train-labels-idx1-ubyte",
            "t10k-images-idx3-ubyte.gz",
            "t10k-labels-idx1-ubyte.gz"
        }) {
            Files.move(folder.resolve(name), below.resolve(name));
        }
        assertThat(DatasetCatalog.open("mnist", parent).train().size()).isEqualTo(12);
    }

    @Test
    void acceptsTheSpellingWithADot() throws IOException {
        Files.move(folder.resolve("train-images-idx3-ubyte"), folder.resolve("train-images.idx3-ubyte"));
        assertThat(DatasetCatalog.open("mnist", folder).train().size()).isEqualTo(12);
    }

    @Test
    void prefersTheFolderOfItsNameToFilesOfAnotherSetBesideIt() throws IOException {
        Path own = Files.createDirectory(folder.resolve("kmnist"));
        SampleFiles.write(own, SampleFiles.idxSet(5, 2));
        assertThat(DatasetCatalog.open("kmnist", folder).train().size()).isEqualTo(5);
        assertThat(DatasetCatalog.open("kmnist", folder).train().classNames()).startsWith("o", "ki");
    }

    @Test
    void doesNotTakeTheFilesOfAFolderNamedAsAnotherSet() throws IOException {
        Path other = Files.createDirectory(folder.resolve("mnist"));
        SampleFiles.write(other, SampleFiles.idxSet(5, 2));
        assertThatThrownBy(() -> DatasetCatalog.open("fashion_mnist", other))
                .isInstanceOf(DataException.class)
                .hasMessageContainingAll("fashion_mnist", "velu data fetch fashion_mnist --data-dir " + other);
    }

    @Test
    void takesAllFourFilesFromOneFolder() throws IOException {
        Path own = Files.createDirectory(folder.resolve("mnist"));
        Files.copy(folder.resolve("train-images-idx3-ubyte"), own.resolve("train-images-idx3-ubyte"));
        Files.delete(folder.resolve("train-images-idx3-ubyte"));
        assertRefused("train-images-idx3-ubyte", "velu data fetch mnist --data-dir");
    }

    @Test
    void emnistIsTurnedUpright() throws IOException, CorruptImageException {
        Path own = Files.createDirectories(folder.resolve("emnist_balanced/gzip"));
        Map<String, byte[]> set = SampleFiles.idxSet(50, 3);
        for (Map.Entry<String, byte[]> file : set.entrySet()) {
            String name = file.getKey().replace("t10k", "test");
            Files.write(own.resolve("emnist-balanced-" + name), file.getValue());
        }
        try (DatasetPair pair = DatasetCatalog.open("emnist_balanced", folder)) {
            assertThat(pair.train().classNames()).hasSize(47).contains("A", "t").doesNotContain("c");
            DecodedImage image = pair.train().image(0);
            // Stored as two rows of three, which are the columns: 0 1 2 | 3 4 5.
            assertThat(image.width()).isEqualTo(2);
            assertThat(image.height()).isEqualTo(3);
            assertThat(image.rgb()).containsExactly(0, 0, 0, 3, 3, 3, 1, 1, 1, 4, 4, 4, 2, 2, 2, 5, 5, 5);
        }
    }

    @Test
    void anImageCannotBeReadAfterTheSetIsClosed() {
        Dataset train = DatasetCatalog.open("mnist", folder).train();
        train.close();
        train.close();
        assertThatThrownBy(() -> train.image(0)).hasMessageContaining("mnist (train) is closed");
    }

    @Test
    void namesTheFolderThatDoesNotExist() {
        assertThatThrownBy(() -> DatasetCatalog.open("mnist", folder.resolve("none")))
                .isInstanceOf(DataException.class)
                .hasMessageContainingAll(folder.resolve("none").toString(), "does not exist", "--data-dir");
    }

    @Test
    void namesTheMissingFileAndBothFolders() throws IOException {
        Files.delete(folder.resolve("train-labels-idx1-ubyte"));
        assertRefused(
                "train-labels-idx1-ubyte.gz",
                "'" + folder + "'",
                folder.resolve("mnist").toString());
    }

    @Test
    void reportsTruncatedGzip() throws IOException {
        byte[] whole = Files.readAllBytes(folder.resolve("t10k-images-idx3-ubyte.gz"));
        write("t10k-images-idx3-ubyte.gz", Arrays.copyOf(whole, whole.length - 9));
        assertRefused("t10k-images-idx3-ubyte.gz", "truncated", "download it again");
    }

    @Test
    void reportsDamagedGzip() throws IOException {
        byte[] bytes = SampleFiles.gzip(SampleFiles.idxImages(3));
        bytes[bytes.length - 6] ^= 1;
        write("t10k-images-idx3-ubyte.gz", bytes);
        assertRefused("t10k-images-idx3-ubyte.gz", "damaged");
    }

    @Test
    void namesTheMagicFoundAndExpected() throws IOException {
        write("train-images-idx3-ubyte", SampleFiles.idxLabels(12));
        assertRefused("train-images-idx3-ubyte", "0x00000801", "0x00000803");
    }

    @Test
    void reportsDifferentNumbersOfImagesAndLabels() throws IOException {
        write("train-labels-idx1-ubyte", SampleFiles.idxLabels(11));
        assertRefused("12 images", "11 labels");
    }

    @Test
    void reportsALabelOutOfRange() throws IOException {
        byte[] labels = SampleFiles.idxLabels(12);
        labels[8 + 7] = (byte) 200;
        write("train-labels-idx1-ubyte", labels);
        assertRefused("label 200", "position 7", "0 to 9");
    }

    @Test
    void reportsMissingBytes() throws IOException {
        byte[] images = SampleFiles.idxImages(12);
        write("train-images-idx3-ubyte", Arrays.copyOf(images, images.length - 1));
        assertRefused("truncated", "72", "71");
    }

    @Test
    void reportsBytesTooMany() throws IOException {
        byte[] images = SampleFiles.idxImages(12);
        write("train-images-idx3-ubyte", Arrays.copyOf(images, images.length + 1));
        assertRefused("bytes after the 72");
    }

    @Test
    void reportsAHeaderCutShort() throws IOException {
        write("train-images-idx3-ubyte", Arrays.copyOf(SampleFiles.idxImages(12), 10));
        assertRefused("truncated", "10 bytes");
    }

    @Test
    void reportsAnEmptyFile() throws IOException {
        write("train-images-idx3-ubyte", new byte[0]);
        assertRefused("truncated", "0 bytes");
    }

    @ParameterizedTest
    @CsvSource({"0,2,3,number of images of 0", "1,0,3,image side of 0", "-1,2,3,number of images of 4294967295"})
    void reportsAShapeWithoutImages(int count, int height, int width, String message) throws IOException {
        write("train-images-idx3-ubyte", SampleFiles.idx(0x803, new int[] {count, height, width}, new byte[0]));
        assertRefused(message);
    }

    @Test
    void refusesAShapeThatOverflows() throws IOException {
        int huge = 1 << 30;
        write("train-images-idx3-ubyte", SampleFiles.idx(0x803, new int[] {huge, huge, 16}, new byte[0]));
        assertRefused("the limit of an IDX file");
    }
}
