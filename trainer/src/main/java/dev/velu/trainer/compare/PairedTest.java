package dev.velu.trainer.compare;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Arrays;
import java.util.List;
import org.apache.commons.statistics.distribution.TDistribution;
import org.apache.commons.statistics.inference.SignificanceResult;
import org.apache.commons.statistics.inference.TTest;
import org.apache.commons.statistics.inference.WilcoxonSignedRankTest;

/**
 * The baseline against another activation, in pairs of cells that differ in nothing else. All p-values are two-sided; those of Holm are
 * corrected for all comparisons of their kind: one kind are those of single rows of the table, another those over all.
 *
 * @param model the row's, null over all
 * @param data the row's, null over all
 * @param pairs of cells that are both finished
 * @param differences baseline minus other, unscaled
 * @param meanDifference null without pairs
 * @param low lower end of the 95 % confidence interval of the mean difference; null like what follows of fewer than two pairs, and if all
 *     differences are equal
 * @param high its upper end
 * @param effectSize Cohen's d_z: mean of the differences in units of their standard deviation
 * @param t statistic of the paired t-test, with {@code pairs - 1} degrees of freedom
 * @param wilcoxon sum of the ranks of the positive differences (Pratt's ranks where there are zeros); exact p unless there are ties or
 *     zeros
 * @param note why there is no test; null if there is
 */
public record PairedTest(
        String model,
        String data,
        String baseline,
        String other,
        int pairs,
        List<Double> differences,
        Double meanDifference,
        Double low,
        Double high,
        Double effectSize,
        Double t,
        @JsonProperty("t_p") Double tP,
        @JsonProperty("t_p_holm") Double tPHolm,
        Double wilcoxon,
        @JsonProperty("wilcoxon_p") Double wilcoxonP,
        @JsonProperty("wilcoxon_p_holm") Double wilcoxonPHolm,
        String note) {

    private static final double OUTSIDE_INTERVAL = 0.05;
    /** Differences of equal numbers that were computed in different order vary by less. */
    private static final double NO_SPREAD = 1e-12;

    /**
     * @param ours values of the baseline
     * @param theirs those of the other in the same order, as many
     */
    static PairedTest of(String model, String data, String baseline, String other, double[] ours, double[] theirs) {
        int pairs = ours.length;
        double[] differences = new double[pairs];
        for (int i = 0; i < pairs; i++) {
            differences[i] = ours[i] - theirs[i];
        }
        Double mean = pairs == 0 ? null : Moments.mean(differences);
        if (pairs < 2) {
            String note = "needs at least two seeds" + (pairs == 0 ? ", none is finished" : "");
            return untested(model, data, baseline, other, differences, mean, note);
        }
        double std = Moments.std(differences);
        if (std <= NO_SPREAD * Math.max(1, Math.abs(mean))) {
            return untested(model, data, baseline, other, differences, mean, "all differences are equal");
        }
        TTest.Result t = TTest.withDefaults().pairedTest(ours, theirs);
        SignificanceResult wilcoxon = WilcoxonSignedRankTest.withDefaults().test(differences);
        double margin =
                TDistribution.of(pairs - 1).inverseSurvivalProbability(OUTSIDE_INTERVAL / 2) * std / Math.sqrt(pairs);
        return new PairedTest(
                model,
                data,
                baseline,
                other,
                pairs,
                list(differences),
                mean,
                mean - margin,
                mean + margin,
                mean / std,
                t.getStatistic(),
                t.getPValue(),
                null,
                wilcoxon.getStatistic(),
                wilcoxon.getPValue(),
                null,
                null);
    }

    private static PairedTest untested(
            String model, String data, String baseline, String other, double[] differences, Double mean, String note) {
        return new PairedTest(
                model,
                data,
                baseline,
                other,
                differences.length,
                list(differences),
                mean,
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                note);
    }

    private static List<Double> list(double[] values) {
        return Arrays.stream(values).boxed().toList();
    }

    PairedTest withHolm(Double corrected, Double wilcoxonCorrected) {
        return new PairedTest(
                model,
                data,
                baseline,
                other,
                pairs,
                differences,
                meanDifference,
                low,
                high,
                effectSize,
                t,
                tP,
                corrected,
                wilcoxon,
                wilcoxonP,
                wilcoxonCorrected,
                note);
    }

    /** Whether it is over all networks and data sets. */
    public boolean overall() {
        return model == null;
    }

    /**
     * The smallest p-value that the Wilcoxon test can have with so many pairs: with five or fewer none is below 0.05, however large the
     * differences.
     */
    public static double smallestWilcoxonP(int pairs) {
        return Math.min(1, Math.scalb(1.0, 1 - pairs));
    }
}
