package dev.velu.trainer.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DatasetCatalogTest {

    @Test
    void unknownNameIsAnsweredWithTheKnownOnes() {
        assertThatThrownBy(() -> DatasetCatalog.open("cifra", null))
                .isInstanceOf(DataException.class)
                .hasMessageContainingAll("'cifra'", "mnist", "shapes", "folder:PATH", "zip:PATH");
    }

    @ParameterizedTest
    @ValueSource(strings = {"folder:", "zip:"})
    void missingPathIsReported(String spec) {
        assertThatThrownBy(() -> DatasetCatalog.open(spec, null))
                .isInstanceOf(DataException.class)
                .hasMessageContaining(spec + "PATH");
    }

    @ParameterizedTest
    @CsvSource({"shapes,32", "mnist,32", "stl10,96", "eurosat,64", "folder:/x,224", "zip:/x.zip,224"})
    void everySpecificationHasAnEntry(String spec, int imageSize) {
        assertThat(DatasetCatalog.entry(spec).imageSize()).isEqualTo(imageSize);
        assertThat(DatasetCatalog.entries()).contains(DatasetCatalog.entry(spec));
    }

    @Test
    void limitChoosesTheSameImagesForTheSameSeed() {
        Dataset train = DatasetCatalog.open("shapes", null).train();
        Set<String> ten = described(Subset.limit(train, 10, 4));
        assertThat(ten).hasSize(10).isEqualTo(described(Subset.limit(train, 10, 4)));
        assertThat(ten).isNotEqualTo(described(Subset.limit(train, 10, 5)));
        assertThat(described(Subset.limit(train, 20, 4))).hasSize(20).containsAll(ten);
    }

    @Test
    void limitKeepsLabelsWithTheirImages() throws CorruptImageException {
        Dataset train = DatasetCatalog.open("shapes", null).train();
        Dataset subset = Subset.limit(train, 5, 1);
        for (int i = 0; i < 5; i++) {
            String name = subset.describe(i);
            int index = Integer.parseInt(name.replaceAll("\\D+(\\d+).*", "$1"));
            assertThat(subset.label(i)).isEqualTo(train.label(index));
            assertThat(subset.image(i).rgb()).isEqualTo(train.image(index).rgb());
        }
    }

    @Test
    void limitAboveTheSizeIsTheWholeSet() {
        Dataset train = DatasetCatalog.open("shapes", null).train();
        assertThat(Subset.limit(train, train.size(), 1)).isSameAs(train);
    }

    @Test
    void limitOfZeroIsRefused() {
        Dataset train = DatasetCatalog.open("shapes", null).train();
        assertThatThrownBy(() -> Subset.limit(train, 0, 1))
                .isInstanceOf(DataException.class)
                .hasMessageContainingAll("limit of 0", "not positive");
    }

    @Test
    void normalizationIsAValue() {
        float[] mean = {0.1f, 0.2f, 0.3f};
        Normalization normalization = new Normalization(mean, new float[] {1, 1, 1});
        mean[0] = 9;
        normalization.std()[0] = 9;
        assertThat(normalization)
                .isEqualTo(new Normalization(new float[] {0.1f, 0.2f, 0.3f}, new float[] {1, 1, 1}))
                .hasSameHashCodeAs(new Normalization(new float[] {0.1f, 0.2f, 0.3f}, new float[] {1, 1, 1}))
                .isNotEqualTo(Normalization.IMAGENET);
        assertThatThrownBy(() -> new Normalization(new float[3], new float[3]))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("std 0.0");
    }

    private static Set<String> described(Dataset dataset) {
        Set<String> names = new HashSet<>();
        for (int i = 0; i < dataset.size(); i++) {
            names.add(dataset.describe(i));
        }
        return names;
    }
}
