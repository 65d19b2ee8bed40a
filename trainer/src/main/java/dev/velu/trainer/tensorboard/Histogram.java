package dev.velu.trainer.tensorboard;

import dev.velu.protobuf.Message;
import java.util.Arrays;

/** Values counted in equally wide buckets, as a {@code HistogramProto}. */
record Histogram(
        double min, double max, long count, double sum, double sumOfSquares, double[] limits, double[] counts) {
    private static final int BUCKETS = 30;

    /** Of the finite ones among the values; null if there are none. */
    static Histogram of(double[] values) {
        double[] finite = Arrays.stream(values).filter(Double::isFinite).toArray();
        if (finite.length == 0) {
            return null;
        }
        double min = Arrays.stream(finite).min().getAsDouble();
        double max = Arrays.stream(finite).max().getAsDouble();
        int buckets = max > min ? BUCKETS : 1;
        double[] limits = new double[buckets];
        for (int i = 0; i < buckets; i++) {
            limits[i] = i == buckets - 1 ? max : min + (max - min) * (i + 1) / buckets;
        }
        double[] counts = new double[buckets];
        double sum = 0;
        double sumOfSquares = 0;
        for (double value : finite) {
            int bucket = max > min ? (int) ((value - min) / (max - min) * buckets) : 0;
            counts[Math.min(bucket, buckets - 1)]++;
            sum += value;
            sumOfSquares += value * value;
        }
        return new Histogram(min, max, finite.length, sum, sumOfSquares, limits, counts);
    }

    Message toMessage() {
        return new Message()
                .real(1, min)
                .real(2, max)
                .real(3, count)
                .real(4, sum)
                .real(5, sumOfSquares)
                .reals(6, limits)
                .reals(7, counts);
    }
}
