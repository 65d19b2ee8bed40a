package dev.velu.peers.vector;

/** Count and mean of A over some elements, and the sum of squares of its deviations from the mean. */
record Sums(double count, double mean, double squares) {
    /** Over the elements of both (Chan, Golub and LeVeque, 1979). */
    Sums join(Sums other) {
        double all = count + other.count;
        double difference = other.mean - mean;
        return new Sums(
                all,
                mean + difference * other.count / all,
                squares + other.squares + difference * difference * count * other.count / all);
    }
}
