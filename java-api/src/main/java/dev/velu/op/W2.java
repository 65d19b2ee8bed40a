package dev.velu.op;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * How the squared Wasserstein-2 distance of an activation A of n elements to the standard normal is taken; the order is
 * that of {@code VELU_W2_*} in {@code velu.h}.
 */
public enum W2 {
    /** {@code mean(A)^2 + (std(A) - 1)^2} over all elements: the closed form for normal distributions, as released. */
    GAUSSIAN,
    /** {@code mean_i (A_(i) - Phi^-1((i - 1/2) / n))^2} over the sorted elements: exact transport in one dimension. */
    EMPIRICAL,
    /** The closed form of every channel, averaged over the channels. */
    PER_CHANNEL;

    /** As on the command line: {@code gaussian}, {@code empirical} or {@code per_channel}. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /**
     * The kind of a label.
     *
     * @throws IllegalArgumentException for an unknown one; lists the known ones
     */
    public static W2 named(String label) {
        return Arrays.stream(values())
                .filter(kind -> kind.label().equals(label))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("unknown kind of W2 '" + label + "'; use one of "
                        + Arrays.stream(values()).map(W2::label).collect(Collectors.joining(", "))));
    }
}
