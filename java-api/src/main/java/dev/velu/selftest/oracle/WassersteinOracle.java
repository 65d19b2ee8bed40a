package dev.velu.selftest.oracle;

import dev.velu.op.W2;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * The squared Wasserstein-2 distance of {@code a[rows][channels]} to the standard normal and its gradient.
 *
 * @param channels of a row
 */
public record WassersteinOracle(W2 kind, int channels) {
    /**
     * @param mean of a over all elements
     * @param std population standard deviation of a over all elements
     * @param saved what the backward pass keeps: quantiles, or means, then standard deviations
     */
    public record Forward(double mean, double std, double w2, double[] saved) {}

    /** The gradient of W2; the magnitude is the sum of its absolute terms, with 1 and std for std - 1. */
    public record Gradient(double[] da, double[] magnitude) {}

    public Forward forward(double[] a) {
        double mean = mean(a, 0, 1);
        double std = std(a, 0, 1);
        double[] saved = saved(a);
        double w2 = 0;
        if (kind == W2.EMPIRICAL) {
            for (int i = 0; i < a.length; i++) {
                w2 += (a[i] - saved[i]) * (a[i] - saved[i]) / a.length;
            }
        } else {
            int parts = saved.length / 2;
            for (int c = 0; c < parts; c++) {
                w2 += (saved[c] * saved[c] + (saved[parts + c] - 1) * (saved[parts + c] - 1)) / parts;
            }
        }
        return new Forward(mean, std, w2, saved);
    }

    public Gradient gradient(double[] a) {
        double[] saved = saved(a);
        double[] da = new double[a.length];
        double[] magnitude = new double[a.length];
        int parts = saved.length / 2;
        for (int i = 0; i < a.length; i++) {
            if (kind == W2.EMPIRICAL) {
                da[i] = 2 * (a[i] - saved[i]) / a.length;
                magnitude[i] = 2 * (Math.abs(a[i]) + Math.abs(saved[i])) / a.length;
                continue;
            }
            double mean = saved[i % parts];
            double std = saved[parts + i % parts];
            double slope = std == 0 ? 0 : (std - 1) / std;
            double steepest = std == 0 ? 0 : (std + 1) / std;
            da[i] = 2 * (mean + slope * (a[i] - mean)) / a.length;
            magnitude[i] = 2 * (Math.abs(mean) + steepest * (Math.abs(a[i]) + Math.abs(mean))) / a.length;
        }
        return new Gradient(da, magnitude);
    }

    private double[] saved(double[] a) {
        return switch (kind) {
            case EMPIRICAL -> quantiles(a);
            case GAUSSIAN -> new double[] {mean(a, 0, 1), std(a, 0, 1)};
            case PER_CHANNEL -> {
                double[] saved = new double[2 * channels];
                for (int c = 0; c < channels; c++) {
                    saved[c] = mean(a, c, channels);
                    saved[channels + c] = std(a, c, channels);
                }
                yield saved;
            }
        };
    }

    /** The quantile that each element is transported to; of equal elements the first comes first. */
    private static double[] quantiles(double[] a) {
        double[] quantiles = new double[a.length];
        if (IntStream.range(0, a.length).anyMatch(i -> Double.isNaN(a[i]))) {
            Arrays.fill(quantiles, Double.NaN);
            return quantiles;
        }
        // Boxed integers are sorted by merging, which keeps the order of equals; -0 is 0 here.
        int[] order = IntStream.range(0, a.length)
                .boxed()
                .sorted(Comparator.comparingDouble(i -> a[i] + 0.0))
                .mapToInt(i -> i)
                .toArray();
        for (int i = 0; i < order.length; i++) {
            quantiles[order[i]] = quantile((i + 0.5) / a.length);
        }
        return quantiles;
    }

    /** Phi^-1(p) by Newton's method, which comes down from 0 step by step as Phi is convex there. */
    static double quantile(double p) {
        if (p > 0.5) {
            return -quantile(1 - p);
        }
        double x = 0;
        double step = 1;
        for (int i = 0; i < 100 && step > 1e-14; i++) {
            double density = Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
            step = (ActivationOracle.normalDistribution(x) - p) / density;
            x -= step;
        }
        return x;
    }

    private static double mean(double[] a, int first, int step) {
        int count = a.length / step;
        double sum = 0;
        for (int i = first; i < a.length; i += step) {
            sum += a[i];
        }
        return sum / count;
    }

    private static double std(double[] a, int first, int step) {
        int count = a.length / step;
        double mean = mean(a, first, step);
        double squares = 0;
        for (int i = first; i < a.length; i += step) {
            squares += (a[i] - mean) * (a[i] - mean);
        }
        return Math.sqrt(squares / count);
    }
}
