package dev.velu.trainer.random;

/**
 * SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014), started from a hash of up to
 * three keys. Written out here so that the numbers of a seed are the same on every JDK for ever.
 */
public final class SplitMix {

    private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;

    private long state;

    private SplitMix(long state) {
        this.state = state;
    }

    /** The stream of these keys; streams of different keys are independent for all practical purposes. */
    public static SplitMix of(long seed, long a, long b) {
        return new SplitMix(hash(seed, a, b));
    }

    /** Goes on as the stream of these keys: what {@link #of} gives, without a new object. */
    public void restart(long seed, long a, long b) {
        state = hash(seed, a, b);
    }

    private static long hash(long seed, long a, long b) {
        return mix(mix(mix(seed + GOLDEN_GAMMA) + a + GOLDEN_GAMMA) + b + GOLDEN_GAMMA);
    }

    /** Variant 13 of Stafford's mixers of 64 bits. */
    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }

    /** The next 64 bits. */
    public long nextLong() {
        state += GOLDEN_GAMMA;
        return mix(state);
    }

    /** Uniform in {@code [0, bound)}; the bias of at most {@code bound / 2^32} is of no consequence here. */
    public int nextInt(int bound) {
        return (int) (((nextLong() >>> 32) * bound) >>> 32);
    }

    /** Uniform in {@code [0, 1)}. */
    public double nextDouble() {
        return (nextLong() >>> 11) * 0x1p-53;
    }

    /** Uniform in [low, high). */
    public double nextDouble(double low, double high) {
        return low + (high - low) * nextDouble();
    }

    /** True half of the time. */
    public boolean nextBoolean() {
        return nextLong() < 0;
    }

    /** Fills {@code order} with a uniformly random permutation of its positions (Fisher and Yates, inside out). */
    public void permutation(int[] order) {
        for (int i = 0; i < order.length; i++) {
            int j = nextInt(i + 1);
            order[i] = order[j];
            order[j] = i;
        }
    }
}
