package dev.velu.trainer.cli;

import dev.velu.trainer.run.RunConfiguration;
import picocli.CommandLine.Option;

/** What is trained on. Every option is named like the setting of {@link RunConfiguration} that it gives ({@link Settings}). */
final class DataOptions {
    private static final RunConfiguration DEFAULTS = RunConfiguration.defaults();

    @Option(
            names = "--data",
            paramLabel = "D",
            description = "A name of 'velu data list', folder:PATH or zip:PATH (default: ${DEFAULT-VALUE}).")
    String data = DEFAULTS.data();

    @Option(
            names = "--data-dir",
            paramLabel = "DIR",
            description = "Where the files of a named data set lie (default: $VELU_DATA_DIR, else ~/.cache/velu/data).")
    String dataDir;

    @Option(
            names = "--size",
            paramLabel = "PX",
            description = "Height and width that images are resized to (default: the data set's).")
    Integer size;

    @Option(
            names = "--limit-train",
            paramLabel = "N",
            description = "Train on N images only, the same for the same seed (default: all).")
    Integer limitTrain;

    @Option(
            names = "--limit-eval",
            paramLabel = "N",
            description = "Evaluate on N images only, the same for the same seed (default: all).")
    Integer limitEval;

    @Option(
            names = "--corrupt-images",
            paramLabel = "fail|skip",
            description = "What to do with an image that cannot be decoded (default: ${DEFAULT-VALUE}).")
    String corruptImages = DEFAULTS.corruptImages();
}
