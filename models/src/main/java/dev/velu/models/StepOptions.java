package dev.velu.models;

import dev.velu.optim.WeightAverage;

/**
 * What a {@link TrainingStep} does beside the least.
 *
 * @param labelSmoothing in [0, 1]
 * @param mixedLabels whether images may have two classes, as mixup and cutmix make them
 * @param accumulation batches whose gradients are averaged before the parameters are updated, 1 or more
 * @param average follows the weights, or null
 */
public record StepOptions(float labelSmoothing, boolean mixedLabels, int accumulation, WeightAverage average) {
    /**
     * Checks the numbers.
     *
     * @throws IllegalArgumentException if a number is outside its range
     */
    public StepOptions {
        if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
            throw new IllegalArgumentException("label smoothing " + labelSmoothing + " is outside [0, 1]");
        }
        if (accumulation < 1) {
            throw new IllegalArgumentException("accumulation over " + accumulation + " batches is not positive");
        }
    }

    /** With nothing but label smoothing. */
    public static StepOptions of(float labelSmoothing) {
        return new StepOptions(labelSmoothing, false, 1, null);
    }

    /** The same for images of two classes. */
    public StepOptions withMixedLabels() {
        return new StepOptions(labelSmoothing, true, accumulation, average);
    }

    /** The same with an update after so many batches. */
    public StepOptions withAccumulation(int batches) {
        return new StepOptions(labelSmoothing, mixedLabels, batches, average);
    }

    /** The same with averaged weights. */
    public StepOptions withAverage(WeightAverage weights) {
        return new StepOptions(labelSmoothing, mixedLabels, accumulation, weights);
    }
}
