package dev.velu.trainer.data;

import java.util.Arrays;

/**
 * Per-channel normalization {@code (x / 255 - mean) / std} of 8-bit RGB.
 *
 * @param mean mean of red, green and blue in units of [0, 1]
 * @param std standard deviation of red, green and blue in units of [0, 1], positive
 */
public record Normalization(float[] mean, float[] std) {

    /** The statistics of ImageNet, used for every set of photographs whose own are not known. */
    public static final Normalization IMAGENET =
            new Normalization(new float[] {0.485f, 0.456f, 0.406f}, new float[] {0.229f, 0.224f, 0.225f});

    /**
     * Checks and copies the values.
     *
     * @throws IllegalArgumentException if an array has not 3 finite values or a standard deviation is not positive
     */
    public Normalization {
        mean = checked("mean", mean);
        std = checked("std", std);
        for (float value : std) {
            if (!(value > 0)) {
                throw new IllegalArgumentException("std " + value + " is not positive");
            }
        }
    }

    /** The same mean and standard deviation for all three channels. */
    static Normalization gray(float mean, float std) {
        return new Normalization(new float[] {mean, mean, mean}, new float[] {std, std, std});
    }

    private static float[] checked(String name, float[] values) {
        if (values.length != 3) {
            throw new IllegalArgumentException(name + " has " + values.length + " values, expected red, green, blue");
        }
        for (float value : values) {
            if (!Float.isFinite(value)) {
                throw new IllegalArgumentException(name + " " + value + " is not finite");
            }
        }
        return values.clone();
    }

    /** Mean of each channel. */
    @Override
    public float[] mean() {
        return mean.clone();
    }

    /** Standard deviation of each channel. */
    @Override
    public float[] std() {
        return std.clone();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Normalization that && Arrays.equals(mean, that.mean) && Arrays.equals(std, that.std);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(mean) + Arrays.hashCode(std);
    }

    @Override
    public String toString() {
        return "Normalization[mean=" + Arrays.toString(mean) + ", std=" + Arrays.toString(std) + "]";
    }
}
