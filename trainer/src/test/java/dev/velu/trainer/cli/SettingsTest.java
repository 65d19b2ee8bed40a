package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.velu.trainer.run.RunConfiguration;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

class SettingsTest {
    private static RunConfiguration parse(RunConfiguration base, String... args) {
        return Settings.apply(new CommandLine(new TrainCommand()).parseArgs(args), base);
    }

    @Test
    void everySettingHasAnOptionAndEveryGroupedOptionIsASetting() {
        Set<String> settings = Arrays.stream(RunConfiguration.class.getRecordComponents())
                .map(c -> c.getName().replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT))
                .collect(Collectors.toSet());

        Set<String> options = new CommandLine(new TrainCommand())
                .getCommandSpec().options().stream()
                        .filter(option -> option.group() != null)
                        .map(option -> option.longestName().substring(2).replace('-', '_'))
                        .collect(Collectors.toSet());

        assertThat(options).isEqualTo(settings);
    }

    @Test
    void withoutOptionsAreTheDefaults() {
        assertThat(parse(RunConfiguration.defaults())).isEqualTo(RunConfiguration.defaults());
    }

    @Test
    void replaceOnlyWhatTheCommandLineSays() {
        RunConfiguration saved = RunConfiguration.defaults().with(Map.of("epochs", 77, "alpha", 0.5f));

        RunConfiguration given = parse(saved, "--batch-size", "8", "--lr=0.25", "--flip", "--seed", "-3");

        assertThat(given)
                .isEqualTo(saved.with(Map.of("batch_size", 8, "learning_rate", 0.25f, "flip", true, "seed", -3L)));
    }

    @Test
    void aValueEqualToTheDefaultStillReplacesASavedOne() {
        RunConfiguration saved = RunConfiguration.defaults().with(Map.of("epochs", 77));

        assertThat(parse(
                                saved,
                                "--epochs",
                                String.valueOf(RunConfiguration.defaults().epochs()))
                        .epochs())
                .isEqualTo(RunConfiguration.defaults().epochs());
    }

    @Test
    void refuseAnOptionGivenTwiceInsteadOfForgettingWhatCameBefore() {
        assertThatThrownBy(() -> parse(RunConfiguration.defaults(), "--data=mnist", "--lr=1", "--data=shapes"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("--data is given more than once; give it once");
    }

    @Test
    void refuseVeluConstantsWithoutVelu() {
        assertThatThrownBy(() -> parse(RunConfiguration.defaults(), "--activation=gelu", "--lambda-ot=0.2"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("--lambda-ot is a constant of VeLU and has no effect with --activation gelu");
    }

    @Test
    void aRecipeReplacesTheDefaultsAndOtherOptionsReplaceTheRecipe() {
        RunConfiguration given =
                parse(RunConfiguration.defaults(), "--epochs", "3", "--recipe", "modern", "--mixup=0", "--flip=false");

        assertThat(given.recipe()).isEqualTo("modern");
        assertThat(given.epochs()).isEqualTo(3);
        assertThat(given.mixup()).isZero();
        assertThat(given.flip()).isFalse();
        assertThat(given.cutmix()).isEqualTo(1);
        assertThat(given.optimizer()).isEqualTo("adamw");
    }

    @Test
    void aRunThatGoesOnKeepsWhatItsRecipeSaidWhenItWasStarted() {
        RunConfiguration saved = parse(RunConfiguration.defaults(), "--recipe=modern", "--ema=0.5");

        assertThat(parse(saved, "--recipe=modern")).isEqualTo(saved);
        assertThat(parse(saved)).isEqualTo(saved);
    }

    @Test
    void severalNamesToFreezeAreGivenByCommas() {
        assertThat(parse(RunConfiguration.defaults(), "--freeze=conv1,layer1").freeze())
                .containsExactly("conv1", "layer1");
    }
}
