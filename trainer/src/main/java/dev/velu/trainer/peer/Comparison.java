package dev.velu.trainer.peer;

import java.util.Arrays;

/**
 * Ours beside a peer's, as reports show it.
 *
 * @param name what was compared with whom
 * @param unit of both values
 * @param ratio how many times better ours is: above 1 ours is faster, or needs less
 * @param spread interquartile range of the ratios of the single rounds as a fraction of the ratio; null where there are no rounds
 */
public record Comparison(String name, String unit, double ours, double peer, double ratio, Double spread) {
    /**
     * Work done per second, at the medians.
     *
     * @param workPerRun in the unit, e.g. images
     */
    public static Comparison rates(String name, String unit, double workPerRun, Timings ours, Timings peer) {
        return rates(name, unit, workPerRun, ours, workPerRun, peer);
    }

    /** Work done per second, at the medians, where a run of ours is another amount of work than one of the peer's. */
    public static Comparison rates(
            String name, String unit, double workPerRun, Timings ours, double peerWorkPerRun, Timings peer) {
        double rate = 1e3 * workPerRun / ours.median();
        double peerRate = 1e3 * peerWorkPerRun / peer.median();
        return new Comparison(name, unit, rate, peerRate, rate / peerRate, spread(ours, peer));
    }

    /** Median milliseconds of a run. */
    public static Comparison milliseconds(String name, Timings ours, Timings peer) {
        return smaller(name, "ms", ours.median(), peer.median(), spread(ours, peer));
    }

    /** Values of which the smaller is the better. */
    public static Comparison smaller(String name, String unit, double ours, double peer, Double spread) {
        return new Comparison(name, unit, ours, peer, peer / ours, spread);
    }

    private static double spread(Timings ours, Timings peer) {
        double[] mine = ours.roundMedians();
        double[] theirs = peer.roundMedians();
        double[] ratios = new double[Math.min(mine.length, theirs.length)];
        Arrays.setAll(ratios, round -> theirs[round] / mine[round]);
        Arrays.sort(ratios);
        int quarter = ratios.length / 4;
        return (ratios[ratios.length - 1 - quarter] - ratios[quarter]) / ratios[ratios.length / 2];
    }
}
