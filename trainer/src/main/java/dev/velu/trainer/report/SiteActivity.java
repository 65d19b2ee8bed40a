package dev.velu.trainer.report;

/**
 * What one activation site did on a batch after an epoch: a line of {@code activations.jsonl}. Numbers that are not finite are
 * null there.
 *
 * @param epoch from 1
 * @param site path of the activation in the network
 * @param activation {@code velu}, {@code relu}, ...
 * @param lambda VeLU's trained scale; 1 for others
 * @param w2 {@code W2^2} of the activation before lambda
 * @param mean of the activation before lambda, over all elements
 * @param std likewise
 * @param scaleMin smallest adaptive scale of a row; 1 for others than VeLU
 * @param scaleMean likewise the mean
 * @param scaleMax likewise the largest
 * @param deadUnits channels that are zero in every row of the batch
 * @param units channels
 * @param saturated share of the elements where the function is flat, in [0, 1]
 * @param elements of the site in the batch
 */
public record SiteActivity(
        int epoch,
        String site,
        String activation,
        Double lambda,
        Double w2,
        Double mean,
        Double std,
        Double scaleMin,
        Double scaleMean,
        Double scaleMax,
        long deadUnits,
        long units,
        Double saturated,
        long elements) {

    public SiteActivity {
        lambda = finite(lambda);
        w2 = finite(w2);
        mean = finite(mean);
        std = finite(std);
        scaleMin = finite(scaleMin);
        scaleMean = finite(scaleMean);
        scaleMax = finite(scaleMax);
        saturated = finite(saturated);
    }

    private static Double finite(Double value) {
        return value != null && Double.isFinite(value) ? value : null;
    }
}
