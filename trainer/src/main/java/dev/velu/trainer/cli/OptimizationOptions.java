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
            names = "--warmup-steps",
            paramLabel = "N",
            description = "Steps in which the learning rate rises linearly first (default: ${DEFAULT-VALUE}).")
    int warmupSteps = DEFAULTS.warmupSteps();

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
}
