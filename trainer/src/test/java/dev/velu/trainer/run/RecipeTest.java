package dev.velu.trainer.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.FieldSource;

class RecipeTest {
    @TempDir
    Path folder;

    private Path file(String text) throws IOException {
        return Files.writeString(folder.resolve("mine.yaml"), text);
    }

    @ParameterizedTest
    @FieldSource("dev.velu.trainer.run.Recipe#BUILT_IN")
    void everyBuiltInRecipeHasADescriptionAndFitsTheDefaults(String name) {
        Recipe recipe = Recipe.named(name);

        assertThat(recipe.description()).isNotBlank();
        assertThat(recipe.text()).contains("name: " + name);
        assertThat(recipe.applyTo(RunConfiguration.defaults()).recipe()).isEqualTo(name);
    }

    @Test
    void thePapersRecipeIsItsFineTuning() {
        RunConfiguration paper = Recipe.named("paper").applyTo(RunConfiguration.defaults());

        assertThat(paper.size()).isEqualTo(128);
        assertThat(paper.head()).isEqualTo("paper");
        assertThat(paper.sites()).isEqualTo("head");
        assertThat(paper.optimizer()).isEqualTo("adam");
        assertThat(paper.baseLearningRate()).isEqualTo(1e-5f);
        assertThat(paper.batchSize()).isEqualTo(32);
        assertThat(paper.epochs()).isEqualTo(15);
    }

    @Test
    void aFileGivesItsSettingsAndLeavesTheOthers() throws IOException {
        Path mine = file("description: two settings\nepochs: 7\nlearning_rate: 1e-4\nfreeze: [layer1, conv1]\n");
        RunConfiguration configuration = Recipe.named(mine.toString()).applyTo(RunConfiguration.defaults());

        assertThat(configuration.epochs()).isEqualTo(7);
        assertThat(configuration.learningRate()).isEqualTo(1e-4f);
        assertThat(configuration.freeze()).containsExactly("layer1", "conv1");
        assertThat(configuration.batchSize())
                .isEqualTo(RunConfiguration.defaults().batchSize());
        assertThat(configuration.recipe()).isEqualTo(mine.toString());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
            epochs: 2\\nbatchsize: 4        | line 2: unknown setting 'batchsize'; did you mean 'batch_size'?
            banana: 1                       | line 1: unknown setting 'banana'; 'velu train --help' lists them, here with _ for -
            recipe: modern                  | line 1: unknown setting 'recipe'
            epochs: 2\\n\\nepochs: 3        | line 3: 'epochs' stands in line 1 already
            ema: 0.9\\nmixup: -1            | line 2: mixup -1.0 is outside [0, 1000]
            seed: 1\\nepochs: many          | line 2: setting 'epochs' is missing or of the wrong kind
            warmup_steps: 3\\nwarmup_share: 0.1 | set one of warmup-steps and warmup-share to 0
            [1, 2]                          | is not a recipe; expected lines 'setting: value'
            "epochs: [1"                    | line 1: not YAML
            """)
    void aMistakeIsNamedWithItsLine(String text, String message) throws IOException {
        Path mine = file(text.replace("\\n", "\n"));

        assertThatThrownBy(() -> Recipe.named(mine.toString()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(mine.toString())
                .hasMessageContaining(message);
    }

    @Test
    void anUnknownNameIsAnsweredWithTheRecipesThereAre() {
        assertThatThrownBy(() -> Recipe.named("modren"))
                .hasMessage("there is no recipe and no file 'modren'; the recipes are paper, modern; did you mean"
                        + " 'modern'?");
    }

    @Test
    void anEmptyFileIsNoRecipe() throws IOException {
        Path mine = file("");

        assertThatThrownBy(() -> Recipe.named(mine.toString())).hasMessageContaining("is not a recipe");
    }
}
