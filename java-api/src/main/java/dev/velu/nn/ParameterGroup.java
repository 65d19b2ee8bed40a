package dev.velu.nn;

/**
 * How the parameters of a part of the network are trained, other than the rest.
 *
 * @param prefix name of a parameter or of a module, e.g. {@code layer1} or {@code features.0}: whole components, so that {@code
 *     features.1} is not {@code features.10}; empty for all parameters
 * @param learningRateFactor what the learning rate is multiplied with, zero or more
 * @param weightDecay instead of the optimizer's, zero or more, or null for the optimizer's
 */
public record ParameterGroup(String prefix, float learningRateFactor, Float weightDecay) {
    /**
     * Checks the numbers.
     *
     * @throws IllegalArgumentException if a number is negative or not finite
     */
    public ParameterGroup {
        if (!(learningRateFactor >= 0 && Float.isFinite(learningRateFactor))) {
            throw new IllegalArgumentException("learning rate factor " + learningRateFactor + " of '" + prefix
                    + "' is not a finite number of zero or more");
        }
        if (weightDecay != null && !(weightDecay >= 0 && Float.isFinite(weightDecay))) {
            throw new IllegalArgumentException(
                    "weight decay " + weightDecay + " of '" + prefix + "' is not a finite number of zero or more");
        }
        prefix = NamePrefix.normalized(prefix);
    }

    /** Whether a parameter of this name belongs to it. */
    public boolean contains(String name) {
        return NamePrefix.matches(prefix, name);
    }
}
