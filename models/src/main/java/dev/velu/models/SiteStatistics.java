package dev.velu.models;

/**
 * What an activation site does to a batch. Numbers may be NaN or infinite where a network has diverged.
 *
 * @param site module path and call, e.g. {@code features.2.conv.0.2.0}
 * @param activation label of the function
 * @param lambda VeLU's lambda; 1 for other functions
 * @param w2 {@code W2^2} of A, what is there before lambda, by the kind of the {@link NetworkSpec}; of other functions than
 *     VeLU the closed form over all elements
 * @param mean of A over all elements
 * @param std population standard deviation of A over all elements
 * @param scaleMin least adaptive scale of the rows; 1 for other functions than VeLU, like the two that follow
 * @param scaleMean mean adaptive scale
 * @param scaleMax largest adaptive scale
 * @param deadUnits channels whose output is at most 1e-6 in size in all rows of the batch
 * @param units channels
 * @param saturated share of the elements, 0 to 1, where the function has no gradient or nearly none: see
 *     {@link dev.velu.op.ActivationStatistics}
 * @param elements of the site, over all rows and channels of the batch
 */
public record SiteStatistics(
        String site,
        String activation,
        double lambda,
        double w2,
        double mean,
        double std,
        double scaleMin,
        double scaleMean,
        double scaleMax,
        long deadUnits,
        long units,
        double saturated,
        long elements) {}
