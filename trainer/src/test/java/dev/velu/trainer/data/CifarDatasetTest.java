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

class CifarDatasetTest {

    private static final int RECORD = 1 + 3 * 32 * 32;

    @TempDir
    private Path dataDir;

    private Path folder;

    /** Batches of two images; image i of the set has label i, red i, green 100 + i, blue the column. */
    @BeforeEach
    void writeCifar10() throws IOException {
        folder = Files.createDirectories(dataDir.resolve("cifar10/cifar-10-batches-bin"));
        for (int batch = 0; batch < 5; batch++) {
            Files.write(folder.resolve("data_batch_" + (batch + 1) + ".bin"), records(2 * batch, 2, 1));
        }
        Files.write(folder.resolve("test_batch.bin"), records(7, 1, 1));
    }

    private static byte[] records(int first, int count, int labelBytes) {
        int record = labelBytes + 3 * 1024;
        byte[] bytes = new byte[count * record];
        for (int i = 0; i < count; i++) {
            int at = i * record;
            bytes[at + labelBytes - 1] = (byte) (first + i);
            at += labelBytes;
            Arrays.fill(bytes, at, at + 1024, (byte) (first + i));
            Arrays.fill(bytes, at + 1024, at + 2048, (byte) (100 + first + i));
            for (int p = 0; p < 1024; p++) {
                bytes[at + 2048 + p] = (byte) (p % 32);
            }
        }
        return bytes;
    }

    private void assertRefused(String... fragments) {
        assertThatThrownBy(() -> DatasetCatalog.open("cifar10", dataDir))
                .isInstanceOf(DataException.class)
                .message()
                .contains(fragments)
                .doesNotContain("\n");
    }

    @Test
    void readsThePlanesOfEveryBatch() throws CorruptImageException {
        try (DatasetPair pair = DatasetCatalog.open("cifar10", dataDir)) {
            Dataset train = pair.train();
            assertThat(train.size()).isEqualTo(10);
            assertThat(pair.eval().size()).isEqualTo(1);
            assertThat(train.name()).isEqualTo("cifar10");
            assertThat(train.classNames()).hasSize(10).startsWith("airplane").endsWith("truck");
            assertThat(train.label(9)).isEqualTo(9);
            assertThat(train.describe(9)).endsWith("data_batch_5.bin image 1");
            byte[] rgb = train.image(9).rgb();
            int at = 3 * (32 * 4 + 5);
            assertThat(Arrays.copyOfRange(rgb, at, at + 3)).containsExactly(9, 109, 5);
            assertThat(pair.eval().label(0)).isEqualTo(7);
        }
    }

    @Test
    void cifar100TakesTheFineLabel() throws IOException {
        Path hundred = Files.createDirectories(dataDir.resolve("cifar100"));
        byte[] train = records(98, 2, 2);
        train[0] = 19;
        Files.write(hundred.resolve("train.bin"), train);
        Files.write(hundred.resolve("test.bin"), records(3, 1, 2));
        try (DatasetPair pair = DatasetCatalog.open("cifar100", dataDir)) {
            assertThat(pair.train().label(0)).isEqualTo(98);
            assertThat(pair.train().classNames().get(98)).isEqualTo("woman");
            assertThat(pair.train().classNames()).hasSize(100);
        }
    }

    @Test
    void filesMayLieInTheDataFolderItself() {
        try (DatasetPair pair = DatasetCatalog.open("cifar10", folder)) {
            assertThat(pair.train().size()).isEqualTo(10);
        }
    }

    @Test
    void aMissingFileIsNamedWithTheCommandThatFetchesIt() throws IOException {
        Files.delete(folder.resolve("data_batch_3.bin"));
        assertRefused("data_batch_3.bin", "velu data fetch cifar10 --data-dir " + dataDir);
    }

    @Test
    void aTruncatedFileIsNamedWithItsLength() throws IOException {
        Path file = folder.resolve("data_batch_2.bin");
        Files.write(file, Arrays.copyOf(Files.readAllBytes(file), 2 * RECORD - 1));
        assertRefused("data_batch_2.bin", "6145 bytes", "3073", "truncated", "velu data fetch cifar10", "--force");
    }

    @Test
    void anEmptyFileIsRefused() throws IOException {
        Files.write(folder.resolve("test_batch.bin"), new byte[0]);
        assertRefused("test_batch.bin", "0 bytes");
    }

    @Test
    void aWrongLabelIsNamedWithItsImage() throws IOException {
        Path file = folder.resolve("data_batch_4.bin");
        byte[] bytes = Files.readAllBytes(file);
        bytes[RECORD] = 10;
        Files.write(file, bytes);
        assertRefused("data_batch_4.bin", "label 10 at image 1", "0 to 9");
    }
}
