package dev.velu.trainer.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TinyImageNetTest {

    private static final String ROOT = "tiny-imagenet-200/";

    @TempDir
    private Path dataDir;

    private final Map<String, byte[]> files = new LinkedHashMap<>();

    /** Two hundred classes n000 to n199 of one image each; two images to evaluate on, of n199 and n000. */
    @BeforeEach
    void prepareFiles() {
        byte[] image = SampleFiles.png(0x102030);
        StringBuilder words = new StringBuilder("n999\tsomething else\n");
        for (int i = 0; i < 200; i++) {
            String wnid = String.format("n%03d", i);
            files.put(ROOT + "train/" + wnid + "/images/" + wnid + "_0.JPEG", image);
            words.append(wnid).append(i < 2 ? "\tcrane, bird\n" : "\tthing " + i + "\n");
        }
        files.put(ROOT + "val/images/val_0.JPEG", image);
        files.put(ROOT + "val/images/val_1.JPEG", image);
        files.put(ROOT + "test/images/test_0.JPEG", image);
        annotate("val_0.JPEG\tn199\t0\t0\t9\t9\nval_1.JPEG\tn000\t0\t0\t9\t9\n");
        files.put(ROOT + "words.txt", words.toString().getBytes(StandardCharsets.UTF_8));
    }

    private void annotate(String lines) {
        files.put(ROOT + "val/val_annotations.txt", lines.getBytes(StandardCharsets.UTF_8));
    }

    private DatasetPair openZip() throws IOException {
        SampleFiles.zip(dataDir.resolve("tiny-imagenet-200.zip"), files);
        return DatasetCatalog.open("tiny_imagenet", dataDir);
    }

    private void assertRefused(String... fragments) {
        assertThatThrownBy(this::openZip)
                .isInstanceOf(DataException.class)
                .message()
                .contains(fragments)
                .doesNotContain("\n");
    }

    private static void check(DatasetPair pair) throws CorruptImageException {
        assertThat(pair.train().size()).isEqualTo(200);
        assertThat(pair.train().name()).isEqualTo("tiny_imagenet");
        assertThat(pair.eval().size()).isEqualTo(2);
        assertThat(pair.eval().describe(0)).endsWith("val_1.JPEG");
        assertThat(pair.eval().label(0)).isZero();
        assertThat(pair.eval().label(1)).isEqualTo(199);
        assertThat(pair.eval().image(1).width()).isEqualTo(8);
        assertThat(pair.train().classNames()).startsWith("crane", "crane (n001)", "thing 2");
    }

    @Test
    void readsTheArchiveInPlace() throws IOException {
        try (DatasetPair pair = openZip()) {
            check(pair);
        }
    }

    @Test
    void readsTheUnpackedFolder() throws IOException {
        SampleFiles.write(Files.createDirectories(dataDir.resolve("tiny_imagenet")), files);
        try (DatasetPair pair = DatasetCatalog.open("tiny_imagenet", dataDir)) {
            check(pair);
        }
    }

    @Test
    void classesKeepTheirIdentifiersWithoutAListOfWords() throws IOException {
        files.remove(ROOT + "words.txt");
        try (DatasetPair pair = openZip()) {
            assertThat(pair.train().classNames()).startsWith("n000", "n001");
        }
    }

    @Test
    void aMissingArchiveIsNamedWithTheCommandThatFetchesIt() {
        assertThatThrownBy(() -> DatasetCatalog.open("tiny_imagenet", dataDir))
                .isInstanceOf(DataException.class)
                .hasMessageContainingAll("tiny-imagenet-200.zip", "velu data fetch tiny_imagenet");
    }

    @Test
    void aMissingClassIsCounted() {
        files.remove(ROOT + "train/n007/images/n007_0.JPEG");
        assertRefused("199 classes", "200");
    }

    @Test
    void aMissingListIsNamed() {
        files.remove(ROOT + "val/val_annotations.txt");
        assertRefused("val/val_annotations.txt");
    }

    @Test
    void anUnknownClassInTheListIsNamedWithItsLine() {
        annotate("val_0.JPEG\tn199\t0\nval_1.JPEG\tn555\t0\n");
        assertRefused("line 2", "n555");
    }

    @Test
    void anImageWithoutAClassIsCounted() {
        annotate("val_0.JPEG\tn199\t0\n");
        assertRefused("no class for 1 images");
    }
}
