package dev.velu.trainer.cli;

import dev.velu.trainer.run.RunConfiguration;
import picocli.CommandLine.Option;

/** The constants of VeLU. Every option is named like the setting of {@link RunConfiguration} that it gives ({@link Settings}). */
final class VeluOptions {
    private static final RunConfiguration DEFAULTS = RunConfiguration.defaults();

    @Option(names = "--alpha", paramLabel = "X", description = "Steepness of the gate (default: ${DEFAULT-VALUE}).")
    float alpha = DEFAULTS.alpha();

    @Option(names = "--beta1", paramLabel = "X", description = "Factor in the arctangent (default: ${DEFAULT-VALUE}).")
    float beta1 = DEFAULTS.beta1();

    @Option(names = "--beta2", paramLabel = "X", description = "Factor in the arcsine (default: ${DEFAULT-VALUE}).")
    float beta2 = DEFAULTS.beta2();

    @Option(
            names = "--gamma",
            paramLabel = "X",
            description = "Strength of the adaptive scale, in (-1, 1) (default: ${DEFAULT-VALUE}).")
    float gamma = DEFAULTS.gamma();

    @Option(names = "--mu", paramLabel = "X", description = "Gain on the statistic (default: ${DEFAULT-VALUE}).")
    float mu = DEFAULTS.mu();

    @Option(
            names = "--eps",
            paramLabel = "X",
            description = "Floor of the variance, positive (default: ${DEFAULT-VALUE}).")
    float eps = DEFAULTS.eps();

    @Option(
            names = "--statistic",
            paramLabel = "S",
            description = "inverse_rms, as in the released layer, or std, as in the paper's text"
                    + " (default: ${DEFAULT-VALUE}).")
    String statistic = DEFAULTS.statistic();

    @Option(
            names = "--scale-min",
            paramLabel = "X",
            description = "Lower clamp of the adaptive scale; needs --scale-max (default: none).")
    Float scaleMin;

    @Option(
            names = "--scale-max",
            paramLabel = "X",
            description = "Upper clamp of the adaptive scale; needs --scale-min (default: none).")
    Float scaleMax;

    @Option(
            names = "--lambda-ot",
            paramLabel = "X",
            description = "Weight of the Wasserstein-2 term of every site in the loss (default: ${DEFAULT-VALUE}).")
    float lambdaOt = DEFAULTS.lambdaOt();

    @Option(
            names = "--w2",
            paramLabel = "KIND",
            description =
                    "How that term is computed: gaussian, as in the released layer, empirical, the exact distance of"
                            + " the sorted values, or per_channel (default: ${DEFAULT-VALUE}).")
    String w2 = DEFAULTS.w2();
}
