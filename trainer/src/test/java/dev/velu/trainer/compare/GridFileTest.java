package dev.velu.trainer.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.velu.trainer.run.RunException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GridFileTest {
    @TempDir
    private Path folder;

    private GridFile read(String yaml) throws IOException {
        return GridFile.read(Files.writeString(folder.resolve("grid.yaml"), yaml));
    }

    private void assertRefused(String yaml, String... words) {
        assertThatThrownBy(() -> read(yaml))
                .isInstanceOf(RunException.class)
                .hasMessageContaining("grid.yaml")
                .hasMessageContainingAll(words);
    }

    @Test
    void readsListsTextsWithCommasAndSettings() throws IOException {
        GridFile grid = read("""
                models: [mobilenet_v2, resnet50]
                activations: velu, relu
                data: mnist
                seeds: 0-2
                settings: {size: 32, weights: null}
                model_settings:
                  resnet50: {batch_size: 16}
                """);

        assertThat(grid.models()).containsExactly("mobilenet_v2", "resnet50");
        assertThat(grid.activations()).containsExactly("velu", "relu");
        assertThat(grid.data()).containsExactly("mnist");
        assertThat(grid.seeds()).containsExactly(0L, 1L, 2L);
        assertThat(grid.settings()).containsEntry("size", 32).containsEntry("weights", null);
        assertThat(grid.modelSettings()).isEqualTo(Map.of("resnet50", Map.of("batch_size", 16)));
        assertThat(grid.activationSettings()).isEmpty();
    }

    @Test
    void whatItDoesNotSayIsLeftToTheCommandLine() throws IOException {
        GridFile grid = read("seeds: [5, 6]");

        assertThat(grid.models()).isNull();
        assertThat(grid.seeds()).containsExactly(5L, 6L);
    }

    @Test
    void refusesWhatIsNoGridAndNamesThePlace() {
        assertRefused("model: [resnet50]", "unknown key 'model'; did you mean 'models'?");
        assertRefused("models: [3]", "'models' holds 3");
        assertRefused("seeds: many", "'many' is no seed");
        assertRefused("settings: 3", "'settings' is no list of settings");
        assertRefused("models: [a]\nmodels: [b]", "models");
        assertRefused("models: [a\nseeds: 3: 4", "line 2");
        assertRefused("", "has no keys");
    }

    @Test
    void saysWhichFileIsMissing() {
        assertThatThrownBy(() -> GridFile.read(folder.resolve("none.yaml")))
                .isInstanceOf(RunException.class)
                .hasMessageContaining("none.yaml");
    }
}
