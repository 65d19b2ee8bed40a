package dev.velu.trainer.cli;

import dev.velu.trainer.run.RunConfiguration;
import picocli.CommandLine.Option;

/** What it runs on. Every option is named like the setting of {@link RunConfiguration} that it gives ({@link Settings}). */
final class MachineOptions {
    private static final RunConfiguration DEFAULTS = RunConfiguration.defaults();

    @Option(
            names = "--device",
            paramLabel = "D",
            description = "auto, cpu, cuda or cuda:INDEX; auto is the first GPU, else the CPU"
                    + " (default: ${DEFAULT-VALUE}).")
    String device = DEFAULTS.device();

    @Option(
            names = "--precision",
            paramLabel = "fp32|bf16",
            description =
                    "What activations are stored and multiplied in; bf16 needs a GPU or a CPU with AVX512_BF16 and"
                            + " keeps the parameters in fp32 (default: ${DEFAULT-VALUE}).")
    String precision = DEFAULTS.precision();

    @Option(
            names = "--tf32",
            description = "Let convolutions and matrix products in fp32 round their operands to TF32 on a GPU, which is"
                    + " faster; without effect on the CPU.")
    boolean tf32 = DEFAULTS.tf32();

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "CPU threads of the operations; 0 for all processors (default: ${DEFAULT-VALUE}).")
    int threads = DEFAULTS.threads();

    @Option(
            names = "--decode-threads",
            paramLabel = "N",
            description = "Threads that decode images; 0 chooses (default: ${DEFAULT-VALUE}).")
    int decodeThreads = DEFAULTS.decodeThreads();

    @Option(
            names = "--seed",
            paramLabel = "N",
            description = "Chooses initial weights, order of images and augmentation (default: ${DEFAULT-VALUE}).")
    long seed = DEFAULTS.seed();
}
