package dev.velu.trainer.peer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Milliseconds of the runs of one contender, round by round. */
public final class Timings {
    private final List<double[]> rounds = new ArrayList<>();

    /** Of a contender that was timed alone. */
    public static Timings of(double[] milliseconds) {
        Timings timings = new Timings();
        timings.add(milliseconds);
        return timings;
    }

    void add(double[] milliseconds) {
        rounds.add(milliseconds.clone());
    }

    /** Milliseconds of all runs, fastest first. */
    public double[] sorted() {
        return rounds.stream().flatMapToDouble(Arrays::stream).sorted().toArray();
    }

    /** Number of runs that were timed. */
    public int count() {
        return rounds.stream().mapToInt(round -> round.length).sum();
    }

    /** Median of all runs. */
    public double median() {
        return quantile(0.5);
    }

    /** The run that a share of all runs is not slower than; share in [0, 1]. */
    public double quantile(double share) {
        double[] sorted = sorted();
        return sorted[(int) Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
    }

    /** Interquartile range as a fraction of the median. */
    public double spread() {
        double[] sorted = sorted();
        int quarter = sorted.length / 4;
        return (sorted[sorted.length - 1 - quarter] - sorted[quarter]) / median();
    }

    /** Medians of the rounds, in their order. */
    double[] roundMedians() {
        return rounds.stream()
                .mapToDouble(round -> {
                    double[] sorted = round.clone();
                    Arrays.sort(sorted);
                    return sorted[sorted.length / 2];
                })
                .toArray();
    }
}
