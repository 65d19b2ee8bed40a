package dev.velu.trainer.cli;

import dev.velu.trainer.run.RunConfiguration;
import picocli.CommandLine.Option;

/**
 * Random changes of the training images. Every option is named like the setting of {@link RunConfiguration} that it gives ({@link
 * Settings}).
 */
final class AugmentationOptions {
    private static final RunConfiguration DEFAULTS = RunConfiguration.defaults();

    @Option(
            names = "--random-resized-crop",
            paramLabel = "X",
            description = "Cut a random part out of training images, at least this share of their area, and enlarge it;"
                    + " 0 for none, 0.08 as for ImageNet (default: ${DEFAULT-VALUE}).")
    float randomResizedCrop = DEFAULTS.randomResizedCrop();

    @Option(
            names = "--crop-padding",
            paramLabel = "PX",
            description = "Pad training images by this much and cut out a random part; 0 for none"
                    + " (default: ${DEFAULT-VALUE}).")
    int cropPadding = DEFAULTS.cropPadding();

    @Option(
            names = "--flip",
            description = "Flip half of the training images left to right, where that keeps their class.")
    boolean flip = DEFAULTS.flip();

    @Option(
            names = "--color-jitter",
            paramLabel = "X",
            description = "Change brightness, contrast and saturation by up to this share; 0 for none"
                    + " (default: ${DEFAULT-VALUE}).")
    float colorJitter = DEFAULTS.colorJitter();

    @Option(
            names = "--random-augment",
            paramLabel = "N",
            description = "RandAugment: so many of its operations on every training image; 0 for none, 2 is usual"
                    + " (default: ${DEFAULT-VALUE}).")
    int randomAugment = DEFAULTS.randomAugment();

    @Option(
            names = "--random-augment-magnitude",
            paramLabel = "N",
            description = "Magnitude of RandAugment's operations, 0 to 30 (default: ${DEFAULT-VALUE}).")
    int randomAugmentMagnitude = DEFAULTS.randomAugmentMagnitude();

    @Option(
            names = "--random-erasing",
            paramLabel = "P",
            description = "Probability that a rectangle of a training image is erased (default: ${DEFAULT-VALUE}).")
    float randomErasing = DEFAULTS.randomErasing();

    @Option(
            names = "--mixup",
            paramLabel = "A",
            description =
                    "Blend training images and their labels in pairs, with shares from the Beta distribution of A and A; 0 for none, 0.2"
                            + " is usual (default: ${DEFAULT-VALUE}).")
    float mixup = DEFAULTS.mixup();

    @Option(
            names = "--cutmix",
            paramLabel = "A",
            description =
                    "Put a rectangle of another image into training images, with areas from the Beta distribution of A and A, and mix"
                            + " the labels likewise; 0 for none, 1 is usual; with --mixup, every batch gets one of the two"
                            + " (default: ${DEFAULT-VALUE}).")
    float cutmix = DEFAULTS.cutmix();
}
