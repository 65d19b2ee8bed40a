package dev.velu.trainer.cli;

import dev.velu.models.NetworkSpec.Precision;
import picocli.CommandLine.Option;

/** How precisely a command without a {@link dev.velu.trainer.run.RunConfiguration} of its own computes a network. */
final class PrecisionOptions {
    @Option(
            names = "--precision",
            paramLabel = "fp32|bf16",
            description = "What activations are stored and multiplied in; bf16 needs a GPU or a CPU with AVX512_BF16"
                    + " (default: ${DEFAULT-VALUE}).")
    String precision = Precision.FP32.label();

    @Option(
            names = "--tf32",
            description = "Let convolutions and matrix products in fp32 round their operands to TF32 on a GPU; without"
                    + " effect on the CPU.")
    boolean tf32;
}
