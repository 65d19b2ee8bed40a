package dev.velu.trainer.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PublishedFoldersTest {

    private static final List<String> EUROSAT = List.of(
            "AnnualCrop",
            "Forest",
            "HerbaceousVegetation",
            "Highway",
            "Industrial",
            "Pasture",
            "PermanentCrop",
            "Residential",
            "River",
            "SeaLake");

    @TempDir
    private Path dataDir;

    private static Map<String, byte[]> classFolders(String root, List<String> classes, int perClass) {
        byte[] image = SampleFiles.png(0x405060);
        Map<String, byte[]> files = new LinkedHashMap<>();
        for (String name : classes) {
            for (int i = 1; i <= perClass; i++) {
                files.put(root + name + "/" + name + "_" + i + ".jpg", image);
            }
        }
        return files;
    }

    private static Map<String, byte[]> numbered(int first, int count) {
        byte[] image = SampleFiles.png(0x405060);
        Map<String, byte[]> files = new LinkedHashMap<>();
        for (int i = first; i < first + count; i++) {
            files.put(i + ".jpg", image);
        }
        return files;
    }

    private static List<String> described(Dataset dataset) {
        List<String> names = new ArrayList<>();
        for (int i = 0; i < dataset.size(); i++) {
            names.add(dataset.describe(i).replaceAll(".*/", ""));
        }
        return names;
    }

    private void assertRefused(String name, String... fragments) {
        assertThatThrownBy(() -> DatasetCatalog.open(name, dataDir))
                .isInstanceOf(DataException.class)
                .message()
                .contains(fragments)
                .doesNotContain("\n");
    }

    @Test
    void eurosatIsReadFromItsArchive() throws IOException {
        SampleFiles.zip(
                Files.createDirectories(dataDir.resolve("eurosat")).resolve("EuroSAT.zip"),
                classFolders("2750/", EUROSAT, 10));
        try (DatasetPair pair = DatasetCatalog.open("eurosat", dataDir)) {
            assertThat(pair.train().size()).isEqualTo(80);
            assertThat(pair.eval().size()).isEqualTo(20);
            assertThat(pair.train().classNames()).isEqualTo(EUROSAT);
            assertThat(pair.train().name()).isEqualTo("eurosat");
            assertThat(pair.train().image(0).width()).isEqualTo(8);
        }
    }

    @Test
    void theSplitDependsOnNothingButTheNames() throws IOException {
        SampleFiles.zip(dataDir.resolve("EuroSAT.zip"), classFolders("2750/", EUROSAT, 10));
        List<String> fromArchive;
        try (DatasetPair pair = DatasetCatalog.open("eurosat", dataDir)) {
            fromArchive = described(pair.eval());
        }
        Path unpacked = Files.createDirectories(dataDir.resolve("eurosat/EuroSAT_RGB"));
        SampleFiles.write(unpacked, classFolders("", EUROSAT, 10));
        try (DatasetPair pair = DatasetCatalog.open("eurosat", dataDir)) {
            assertThat(described(pair.eval())).isEqualTo(fromArchive);
            assertThat(described(pair.train())).doesNotContainAnyElementsOf(fromArchive);
        }
        // In Python: sorted(names, key=lambda n: sha256(("Forest/" + n).encode()).hexdigest())[:2]
        assertThat(fromArchive).contains("Forest_10.jpg", "Forest_8.jpg");
    }

    @Test
    void caltechLeavesTheBackgroundOut() throws IOException {
        List<String> classes = new ArrayList<>(List.of("BACKGROUND_Google"));
        for (int i = 0; i < 101; i++) {
            classes.add("class" + i);
        }
        SampleFiles.write(dataDir, classFolders("caltech101/101_ObjectCategories/", classes, 2));
        try (DatasetPair pair = DatasetCatalog.open("caltech101", dataDir)) {
            assertThat(pair.train().classNames()).hasSize(101).doesNotContain("BACKGROUND_Google");
            assertThat(pair.eval().size()).isEqualTo(101);
        }
    }

    @Test
    void corelTakesFoldersPerClass() throws IOException {
        List<String> classes = List.of("0", "1", "2", "3", "4", "5", "6", "7", "8", "9");
        SampleFiles.write(dataDir, classFolders("corel1k/", classes, 5));
        try (DatasetPair pair = DatasetCatalog.open("corel1k", dataDir)) {
            assertThat(pair.train().size()).isEqualTo(40);
            assertThat(pair.eval().size()).isEqualTo(10);
        }
    }

    @Test
    void corelTakesNumberedFilesFromZero() throws IOException {
        SampleFiles.write(Files.createDirectories(dataDir.resolve("corel1k")), numbered(0, 1000));
        try (DatasetPair pair = DatasetCatalog.open("corel1k", dataDir)) {
            assertThat(pair.train().size()).isEqualTo(800);
            assertThat(pair.train().classNames()).startsWith("000").endsWith("009");
            int last = pair.train().size() - 1;
            assertThat(pair.train().label(last)).isEqualTo(9);
            assertThat(described(pair.train()).get(last)).startsWith("9");
        }
    }

    @Test
    void corelTakesNumberedFilesFromOne() throws IOException {
        SampleFiles.zip(dataDir.resolve("corel1k.zip"), numbered(1, 1000));
        try (DatasetPair pair = DatasetCatalog.open("corel1k", dataDir)) {
            assertThat(pair.train().size()).isEqualTo(800);
            assertThat(pair.eval().size()).isEqualTo(200);
        }
    }

    @Test
    void aMissingClassIsCounted() throws IOException {
        SampleFiles.zip(dataDir.resolve("EuroSAT.zip"), classFolders("2750/", EUROSAT.subList(0, 9), 2));
        assertRefused("eurosat", "9 classes", "10", "velu data fetch eurosat --force");
    }

    @Test
    void aNameThatIsNoNumberIsRefused() throws IOException {
        Map<String, byte[]> files = numbered(0, 20);
        files.put("elephant.jpg", files.get("0.jpg"));
        SampleFiles.write(Files.createDirectories(dataDir.resolve("corel1k")), files);
        assertRefused("corel1k", "elephant.jpg", "NUMBER.jpg");
    }

    @Test
    void aMissingSetWithoutAnAddressSaysWhatToPutWhere() {
        assertRefused("corel10k", dataDir.resolve("corel10k").toString(), "velu data list corel10k");
    }

    @Test
    void aMissingSetWithAnAddressSaysHowToFetchIt() {
        assertRefused("caltech101", "101_ObjectCategories", "velu data fetch caltech101 --data-dir " + dataDir);
    }
}
