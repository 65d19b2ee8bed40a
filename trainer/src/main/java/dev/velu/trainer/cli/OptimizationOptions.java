package dev.velu.trainer.cli;

import dev.velu.trainer.run.RunConfiguration;
import picocli.CommandLine.Option;

/** How it is trained. Every option is named like the setting of {@link RunConfiguration} that it gives ({@link Settings}). */
final class OptimizationOptions {
    private static final RunConfiguration DEFAULTS = RunConfiguration.defaults();

    @Option(
            names = "--epochs",
            paramLabel = "N",
            description = "Passes over the training images (default: ${DEFAULT-VALUE}).")
    int epochs = DEFAULTS.epochs();

    @Option(names = "--batch-size", paramLabel = "B", description = "Images in a step (default: ${DEFAULT-VALUE}).")
    int batchSize = DEFAULTS.batchSize();

    @Option(
            names = "--accumulate",
            paramLabel = "N",
            description = "Average the gradients of N steps, then update: as a batch N times as large, in the memory of"
                    + " one (default: ${DEFAULT-VALUE}).")
    int accumulate = DEFAULTS.accumulate();

    @Option(
            names = "--optimizer",
            paramLabel = "O",
            description = "sgd, adam, adamw or nadam (default: ${DEFAULT-VALUE}).")
    String optimizer = DEFAULTS.optimizer();

    @Option(
            names = {"--lr", "--learning-rate"},
            paramLabel = "X",
            description = "Learning rate (default: 0.05 for sgd, 0.001 for the others; a tenth of that for vgg19,"
                    + " vgg19_bn and vit_b_16).")
    Float learningRate;

    @Option(names = "--momentum", paramLabel = "X", description = "Momentum of sgd (default: ${DEFAULT-VALUE}).")
    float momentum = DEFAULTS.momentum();

    @Option(names = "--nesterov", description = "Nesterov's momentum with sgd.")
    boolean nesterov = DEFAULTS.nesterov();

    @Option(
            names = "--weight-decay",
            paramLabel = "X",
            description = "L2 penalty on the gradient; with adamw, decoupled decay (default: ${DEFAULT-VALUE}).")
    float weightDecay = DEFAULTS.weightDecay();

    @Option(
            names = "--no-decay-norm-bias",
            description = "Spare biases, the parameters of norms and VeLU's lambdas the weight decay.")
    boolean noDecayNormBias = DEFAULTS.noDecayNormBias();

    @Option(
            names = "--label-smoothing",
            paramLabel = "X",
            description = "Share of the label given to all classes, 0 to 1 (default: ${DEFAULT-VALUE}).")
    float labelSmoothing = DEFAULTS.labelSmoothing();

    @Option(
            names = "--schedule",
            paramLabel = "S",
            description = "How the learning rate goes: constant, step or cosine (default: ${DEFAULT-VALUE}).")
    String schedule = DEFAULTS.schedule();

    @Option(
            names = "--step-epochs",
            paramLabel = "N",
            description = "Epochs between two changes of schedule step (default: ${DEFAULT-VALUE}).")
    int stepEpochs = DEFAULTS.stepEpochs();

    @Option(
            names = "--step-factor",
            paramLabel = "X",
            description = "Factor of each change of schedule step (default: ${DEFAULT-VALUE}).")
    float stepFactor = DEFAULTS.stepFactor();

    @Option(
            names = "--final-fraction",
            paramLabel = "X",
            description = "Fraction of the learning rate that schedule cosine ends at (default: ${DEFAULT-VALUE}).")
    float finalFraction = DEFAULTS.finalFraction();

    @Option(
            names = "--warmup-steps",
            paramLabel = "N",
            description = "Steps in which the learning rate rises linearly first (default: ${DEFAULT-VALUE}).")
    int warmupSteps = DEFAULTS.warmupSteps();

    @Option(
            names = "--warmup-share",
            paramLabel = "X",
            description = "The same as a share of all steps of the run, 0 to 1 (default: ${DEFAULT-VALUE}).")
    float warmupShare = DEFAULTS.warmupShare();

    @Option(
            names = "--clip-norm",
            paramLabel = "X",
            description = "Largest norm of all gradients together; 0 for no limit (default: ${DEFAULT-VALUE}).")
    float clipNorm = DEFAULTS.clipNorm();

    @Option(
            names = "--clip-value",
            paramLabel = "X",
            description = "Largest magnitude of one gradient; 0 for no limit (default: ${DEFAULT-VALUE}).")
    float clipValue = DEFAULTS.clipValue();

    @Option(
            names = "--ema",
            paramLabel = "D",
            description =
                    "Evaluate and keep an exponential moving average of the weights with this decay, e.g. 0.999; 0"
                            + " for none (default: ${DEFAULT-VALUE}).")
    double ema = DEFAULTS.ema();

    @Option(
            names = "--early-stopping",
            paramLabel = "N",
            description = "End the run after N epochs without a better evaluation; 0 for never"
                    + " (default: ${DEFAULT-VALUE}).")
    int earlyStopping = DEFAULTS.earlyStopping();

    @Option(
            names = "--early-stopping-delta",
            paramLabel = "X",
            description = "By how much of the top-1, 0 to 1, an evaluation has to be better for that"
                    + " (default: ${DEFAULT-VALUE}).")
    float earlyStoppingDelta = DEFAULTS.earlyStoppingDelta();
}
