package dev.velu.trainer.compare;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.apache.commons.statistics.distribution.ChiSquaredDistribution;

/**
 * Whether the activations differ at all: Friedman's rank test, corrected for ties (M. Hollander and D. A. Wolfe, Nonparametric Statistical
 * Methods, 1973). A block is what the activations have in common: network, data set and seed.
 *
 * @param blocks in which all activations are finished
 * @param treatments activations
 * @param statistic chi-squared; null if there is no test
 * @param p upper tail of the chi-squared distribution, an approximation that is coarse for few blocks
 * @param note why there is no test; null if there is
 */
public record FriedmanTest(int blocks, int treatments, Double statistic, int degreesOfFreedom, Double p, String note) {

    /**
     * @param values one array per block with a value per treatment
     * @param treatments positive
     */
    static FriedmanTest of(List<double[]> values, int treatments) {
        int n = values.size();
        int k = treatments;
        if (k < 3) {
            return none(n, k, "needs at least three activations");
        }
        if (n < 2) {
            return none(n, k, "needs at least two seeds of which all activations are finished");
        }
        double[] rankSums = new double[k];
        double ties = 0;
        for (double[] block : values) {
            double[] ranks = MeanRank.places(block, false);
            for (int j = 0; j < k; j++) {
                rankSums[j] += ranks[j];
            }
            ties += ties(ranks);
        }
        double expected = n * (k + 1) / 2.0;
        double spread = Arrays.stream(rankSums)
                .map(sum -> (sum - expected) * (sum - expected))
                .sum();
        double scale = (double) n * k * (k + 1) - ties / (k - 1);
        if (!(scale > 0)) {
            return none(n, k, "all activations are equal in every block");
        }
        double statistic = 12 * spread / scale;
        return new FriedmanTest(
                n, k, statistic, k - 1, ChiSquaredDistribution.of(k - 1).survivalProbability(statistic), null);
    }

    /** Sum of {@code t^3 - t} over the groups of equals. */
    private static double ties(double[] ranks) {
        Map<Double, Long> groups =
                Arrays.stream(ranks).boxed().collect(Collectors.groupingBy(Function.identity(), Collectors.counting()));
        return groups.values().stream().mapToDouble(t -> Math.pow(t, 3) - t).sum();
    }

    private static FriedmanTest none(int blocks, int treatments, String note) {
        return new FriedmanTest(blocks, treatments, null, Math.max(0, treatments - 1), null, note);
    }
}
