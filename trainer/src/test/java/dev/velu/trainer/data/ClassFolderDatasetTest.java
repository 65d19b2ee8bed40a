package dev.velu.trainer.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ClassFolderDatasetTest {

    private static final byte[] RED = SampleFiles.png(0xFF0000);
    private static final byte[] BLUE = SampleFiles.png(0x0000FF);

    @TempDir
    private Path root;

    private DatasetPair folder(Map<String, byte[]> files) throws IOException {
        SampleFiles.write(root, files);
        return DatasetCatalog.open("folder:" + root, null);
    }

    private DatasetPair zip(Map<String, byte[]> files) throws IOException {
        return DatasetCatalog.open("zip:" + SampleFiles.zip(root.resolve("set.zip"), files), null);
    }

    private static Map<String, byte[]> twoSplits(String evalName) {
        return new LinkedHashMap<>(Map.of(
                "train/red/1.png",
                RED,
                "train/red/2.PNG",
                RED,
                "train/blue/1.png",
                BLUE,
                evalName + "/red/3.png",
                RED,
                evalName + "/blue/4.png",
                BLUE));
    }

    private static Set<String> described(Dataset dataset) {
        Set<String> names = new HashSet<>();
        for (int i = 0; i < dataset.size(); i++) {
            names.add(dataset.describe(i));
        }
        return names;
    }

    private static void assertRefused(ThrowingOpen open, String... fragments) {
        assertThatThrownBy(open::run)
                .isInstanceOf(DataException.class)
                .message()
                .contains(fragments)
                .doesNotContain("\n");
    }

    private interface ThrowingOpen {
        void run() throws IOException;
    }

    @ParameterizedTest
    @ValueSource(strings = {"test", "val", "validation"})
    void readsSplitFoldersWithSortedClasses(String evalName) throws IOException {
        try (DatasetPair pair = folder(twoSplits(evalName))) {
            assertThat(pair.train().classNames()).containsExactly("blue", "red");
            assertThat(pair.train().size()).isEqualTo(3);
            assertThat(pair.eval().size()).isEqualTo(2);
            assertThat(pair.train().label(0)).isZero();
            assertThat(pair.train().label(2)).isEqualTo(1);
            assertThat(pair.train().image(0).rgb()).startsWith(0, 0, 255);
            assertThat(pair.eval().image(1).rgb()).startsWith(255, 0, 0);
            assertThat(pair.eval().describe(1))
                    .isEqualTo(root.resolve(evalName + "/red/3.png").toString());
        }
    }

    @Test
    void readsAZipInPlace() throws IOException {
        try (DatasetPair pair = zip(twoSplits("test"))) {
            assertThat(pair.train().name()).isEqualTo("zip:" + root.resolve("set.zip"));
            assertThat(pair.train().size()).isEqualTo(3);
            assertThat(pair.eval().image(0).rgb()).startsWith(0, 0, 255);
        }
    }

    @Test
    void looksThroughOneFolderAroundAZip() throws IOException {
        Map<String, byte[]> wrapped = new HashMap<>();
        twoSplits("test").forEach((name, bytes) -> wrapped.put("my-set/" + name, bytes));
        try (DatasetPair pair = zip(wrapped)) {
            assertThat(pair.train().classNames()).containsExactly("blue", "red");
            assertThat(pair.train().size()).isEqualTo(3);
        }
    }

    @Test
    void zipStaysOpenUntilBothSplitsAreClosed() throws IOException {
        DatasetPair pair = zip(twoSplits("test"));
        pair.train().close();
        pair.train().close();
        assertThat(pair.eval().image(0).width()).isEqualTo(8);
        pair.eval().close();
        assertThatThrownBy(() -> pair.eval().image(0)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void readsEveryFormatByContentWhateverTheNameEndsIn() throws IOException {
        Map<String, byte[]> files = new HashMap<>();
        for (String format : new String[] {"jpg", "png", "bmp", "gif"}) {
            byte[] image = SampleFiles.encode(SampleFiles.plain(9, 7, 0x808080), format);
            files.put("train/a/" + format + ".jpeg", image);
            files.put("train/b/" + format + "." + format, image);
        }
        files.put("val/a/1.png", RED);
        files.put("val/b/1.png", RED);
        try (DatasetPair pair = folder(files)) {
            assertThat(pair.train().size()).isEqualTo(8);
            for (int i = 0; i < 8; i++) {
                DecodedImage image = pair.train().image(i);
                assertThat(image.width()).isEqualTo(9);
                assertThat(image.height()).isEqualTo(7);
                assertThat(image.rgb()).containsOnly(0x80);
            }
        }
    }

    @Test
    void ignoresHiddenFilesMacFoldersAndOtherFiles() throws IOException {
        Map<String, byte[]> files = twoSplits("test");
        files.put("__MACOSX/train/red/._1.png", SampleFiles.TEXT);
        files.put("train/red/.hidden.png", SampleFiles.TEXT);
        files.put("train/red/notes.txt", SampleFiles.TEXT);
        files.put("README.md", SampleFiles.TEXT);
        assertThat(zip(files).train().size()).isEqualTo(3);
    }

    @Test
    void setsATenthOfEachClassApartWithoutSplitFolders() throws IOException {
        Map<String, byte[]> files = new HashMap<>();
        for (int i = 0; i < 20; i++) {
            files.put("red/" + i + ".png", RED);
            files.put("blue/deeper/" + i + ".png", BLUE);
        }
        Set<String> eval;
        try (DatasetPair pair = folder(files)) {
            assertThat(pair.train().size()).isEqualTo(36);
            assertThat(pair.eval().size()).isEqualTo(4);
            assertThat(pair.eval().label(1)).isZero();
            assertThat(pair.eval().label(2)).isEqualTo(1);
            eval = described(pair.eval());
            assertThat(described(pair.train())).hasSize(36).doesNotContainAnyElementsOf(eval);
        }
        try (DatasetPair again = DatasetCatalog.open("folder:" + root, null)) {
            assertThat(described(again.eval())).isEqualTo(eval);
        }
    }

    @Test
    void setsATenthApartWhereOnlyTrainIsThere() throws IOException {
        DatasetPair pair = folder(
                Map.of("train/a/1.png", RED, "train/a/2.png", RED, "train/b/1.png", BLUE, "train/b/2.png", BLUE));
        assertThat(pair.train().classNames()).containsExactly("a", "b");
        assertThat(pair.eval().size()).isEqualTo(2);
    }

    @Test
    void classNamedTrainBesideOtherClassesIsAClass() throws IOException {
        DatasetPair pair = folder(Map.of("train/1.png", RED, "train/2.png", RED, "bus/1.png", BLUE, "bus/2.png", BLUE));
        assertThat(pair.train().classNames()).containsExactly("bus", "train");
    }

    @Test
    void namesTheClassesThatDiffer() {
        Map<String, byte[]> files = twoSplits("test");
        files.put("train/green/1.png", RED);
        files.put("test/gray/1.png", RED);
        assertRefused(() -> folder(files), "'green' only in train/", "'gray' only in test/");
    }

    @Test
    void reportsAMissingFolder() {
        assertRefused(
                () -> DatasetCatalog.open("folder:" + root.resolve("none"), null),
                root.resolve("none").toString(),
                "does not exist");
    }

    @Test
    void reportsAFileInPlaceOfAFolder() throws IOException {
        Path file = Files.write(root.resolve("x"), RED);
        assertRefused(() -> DatasetCatalog.open("folder:" + file, null), "is not a folder");
    }

    @Test
    void reportsAnEmptyFolder() {
        assertRefused(() -> folder(Map.of()), root.toString(), "holds no images");
    }

    @Test
    void reportsImagesWithoutClassFolders() {
        assertRefused(() -> folder(Map.of("1.png", RED, "2.png", RED)), "2 images", "no class folders");
    }

    @Test
    void reportsASingleClass() {
        assertRefused(
                () -> folder(Map.of("train/a/1.png", RED, "test/a/1.png", RED)), "one class, 'a'", "at least two");
    }

    @Test
    void reportsEvaluationWithoutTraining() {
        assertRefused(() -> folder(Map.of("test/a/1.png", RED, "test/b/1.png", RED)), "test/ but no train/");
    }

    @Test
    void reportsFoldersBesideTheSplits() {
        Map<String, byte[]> files = twoSplits("test");
        files.put("misc/1.png", RED);
        assertRefused(() -> folder(files), "'misc'", "beside train/ and test/");
    }

    @Test
    void reportsAClassTooSmallToSplit() {
        assertRefused(
                () -> folder(Map.of("a/1.png", RED, "a/2.png", RED, "b/1.png", RED)),
                "one image of class 'b'",
                "add one");
    }

    @Test
    void reportsAMissingZip() {
        assertRefused(() -> DatasetCatalog.open("zip:/nonexistent.zip", null), "'/nonexistent.zip'", "does not exist");
    }

    @Test
    void reportsAZipThatIsNone() throws IOException {
        Path file = Files.write(root.resolve("text.zip"), SampleFiles.TEXT);
        assertRefused(() -> DatasetCatalog.open("zip:" + file, null), file.toString(), "not a complete zip archive");
    }

    @Test
    void reportsATruncatedZip() throws IOException {
        Path file = SampleFiles.zip(root.resolve("cut.zip"), twoSplits("test"));
        byte[] bytes = Files.readAllBytes(file);
        Files.write(file, Arrays.copyOf(bytes, bytes.length / 2));
        assertRefused(() -> DatasetCatalog.open("zip:" + file, null), "not a complete zip archive");
    }

    @ParameterizedTest
    @ValueSource(strings = {"../../etc/x.png", "train/../../x.png", "/etc/x.png", "C:\\x.png", "a\\..\\x.png"})
    void refusesEntriesThatPointOutside(String entry) {
        Map<String, byte[]> files = twoSplits("test");
        files.put(entry, RED);
        assertRefused(() -> zip(files), "outside the archive", "'" + entry + "'");
    }

    @Test
    void aNameFromAnArchiveCannotForgeALineOfTheMessage() {
        Map<String, byte[]> files = twoSplits("test");
        files.put("../a\n\u001b[31mforged.png", RED);
        assertRefused(() -> zip(files), "../a??[31mforged.png");
    }

    @Test
    void imagesOfAClassAreSortedWhateverTheOrderInTheArchive() throws IOException {
        Map<String, byte[]> files = new LinkedHashMap<>();
        for (String name : new String[] {"b/3.png", "a/2.png", "b/1.png", "a/1.png", "b/2.png"}) {
            files.put("train/" + name, RED);
        }
        files.put("test/a/1.png", RED);
        files.put("test/b/1.png", RED);
        try (DatasetPair pair = zip(files)) {
            String zip = root.resolve("set.zip") + "!/train/";
            assertThat(List.of(0, 1, 2, 3, 4))
                    .extracting(pair.train()::describe)
                    .containsExactly(
                            zip + "a/1.png", zip + "a/2.png", zip + "b/1.png", zip + "b/2.png", zip + "b/3.png");
        }
    }

    @Test
    void checksumFindsDamageInAnEntryThatIsNotCompressed() throws IOException {
        Map<String, byte[]> files = twoSplits("test");
        byte[] bitmap = SampleFiles.encode(SampleFiles.plain(8, 8, 0), "bmp");
        files.put("train/blue/0.bmp", bitmap);
        Path file = SampleFiles.zipUncompressed(root.resolve("stored.zip"), files);
        byte[] bytes = Files.readAllBytes(file);
        int at = new String(bytes, StandardCharsets.ISO_8859_1).indexOf("train/blue/0.bmp");
        bytes[at + "train/blue/0.bmp".length() + bitmap.length - 1] ^= 1;
        Files.write(file, bytes);
        try (DatasetPair pair = DatasetCatalog.open("zip:" + file, null)) {
            assertThatThrownBy(() -> pair.train().image(0))
                    .isInstanceOf(CorruptImageException.class)
                    .hasMessageContainingAll("0.bmp", "checksum differs");
        }
    }

    @Test
    void namesTheDamagedEntryOfAZip() throws IOException {
        Path file = SampleFiles.zip(root.resolve("damaged.zip"), twoSplits("test"));
        byte[] bytes = Files.readAllBytes(file);
        for (int i = 0; i + 4 < bytes.length; i++) {
            // The content of a local entry begins 30 bytes after its signature, behind the name.
            if (bytes[i] == 'P' && bytes[i + 1] == 'K' && bytes[i + 2] == 3 && bytes[i + 3] == 4) {
                bytes[i + 30 + bytes[i + 26] + 12] ^= 0x55;
            }
        }
        Files.write(file, bytes);
        try (DatasetPair pair = DatasetCatalog.open("zip:" + file, null)) {
            assertThatThrownBy(() -> pair.train().image(0))
                    .isInstanceOf(CorruptImageException.class)
                    .hasMessageContainingAll(file + "!/train/blue/1.png", "zip entry");
        }
    }

    @Test
    void namesTheTextFileThatPosesAsAnImage() throws IOException {
        Map<String, byte[]> files = twoSplits("test");
        files.put("train/blue/0.jpg", SampleFiles.TEXT);
        try (DatasetPair pair = folder(files)) {
            assertThatThrownBy(() -> pair.train().image(0))
                    .isInstanceOf(CorruptImageException.class)
                    .hasMessageContainingAll(
                            root.resolve("train/blue/0.jpg").toString(), "not a JPEG, PNG, BMP or GIF");
        }
    }

    @Test
    void reportsALinkThatLoops() throws IOException {
        SampleFiles.write(root, twoSplits("test"));
        Files.createSymbolicLink(root.resolve("train/red/loop"), root.resolve("train"));
        assertRefused(() -> DatasetCatalog.open("folder:" + root, null), "loop");
    }
}
