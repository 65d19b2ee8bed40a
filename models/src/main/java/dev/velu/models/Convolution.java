package dev.velu.models;

import dev.velu.nn.Initializer;

/**
 * A convolution layer: square kernel, the same stride and padding on both axes.
 *
 * @param groups 1, or the number of channels for a depthwise convolution
 * @param bias whether it has a bias, which starts at zero
 * @param initializer first values of its weight
 */
public record Convolution(
        long outChannels, int kernel, int stride, int padding, int groups, boolean bias, Initializer initializer) {
    /**
     * Stride 1, padded so that the size stays for an odd kernel, without bias. He initialization by the fan-out as torch counts
     * it, which is not divided by the groups.
     */
    public static Convolution of(long outChannels, int kernel) {
        return new Convolution(
                outChannels, kernel, 1, kernel / 2, 1, false, Initializer.heNormal(outChannels * kernel * kernel));
    }

    /** The same with another stride. */
    public Convolution stride(int newStride) {
        return new Convolution(outChannels, kernel, newStride, padding, groups, bias, initializer);
    }

    /** The same with another padding, in pixels on every side. */
    public Convolution padding(int newPadding) {
        return new Convolution(outChannels, kernel, stride, newPadding, groups, bias, initializer);
    }

    /** Every channel by itself. */
    public Convolution depthwise() {
        return new Convolution(outChannels, kernel, stride, padding, Math.toIntExact(outChannels), bias, initializer);
    }

    /** The same with a bias. */
    public Convolution biased() {
        return new Convolution(outChannels, kernel, stride, padding, groups, true, initializer);
    }

    /** The same with other first values of the weight. */
    public Convolution initialized(Initializer newInitializer) {
        return new Convolution(outChannels, kernel, stride, padding, groups, bias, newInitializer);
    }
}
