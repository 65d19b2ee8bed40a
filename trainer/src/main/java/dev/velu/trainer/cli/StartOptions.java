package dev.velu.trainer.cli;

import dev.velu.trainer.run.RunConfiguration;
import java.util.List;
import picocli.CommandLine.Option;

/**
 * What a run starts from. Every option is named like the setting of {@link RunConfiguration} that it gives ({@link Settings}).
 */
final class StartOptions {
    private static final RunConfiguration DEFAULTS = RunConfiguration.defaults();

    @Option(
            names = "--recipe",
            paramLabel = "NAME|FILE",
            description = "Settings to train with: paper, modern, or a YAML file of settings; other options override"
                    + " them. 'velu recipes' shows what is in them (default: none).")
    String recipe;

    @Option(
            names = "--weights",
            paramLabel = "FILE",
            description =
                    "Start from weights with torchvision's names: safetensors, a file of PyTorch (.pth, .pt), or a"
                            + " checkpoint of another run. A classifier for another number of classes is replaced"
                            + " (default: initial values).")
    String weights;

    @Option(
            names = "--freeze",
            paramLabel = "NAME",
            split = ",",
            description = "Do not train these parameters: beginnings of their names, such as conv1,layer1;"
                    + " 'velu summary' lists them. Their norms keep their statistics (default: none).")
    List<String> freeze = DEFAULTS.freeze();

    @Option(
            names = "--unfreeze-epoch",
            paramLabel = "N",
            description = "From this epoch on, train them as well; 0 for never (default: ${DEFAULT-VALUE}).")
    int unfreezeEpoch = DEFAULTS.unfreezeEpoch();

    @Option(
            names = "--backbone-lr-factor",
            paramLabel = "X",
            description = "Learning rate of everything but the classifier, as a factor of --lr"
                    + " (default: ${DEFAULT-VALUE}).")
    float backboneLrFactor = DEFAULTS.backboneLrFactor();
}
