package dev.velu.selftest.oracle;

/**
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011) and the numbers
 * and masks that are made of it.
 */
public final class PhiloxOracle {
    private static final long MASK = 0xffff_ffffL;
    private static final int LAST_ATTEMPT = 65535;
    private static final long DROPOUT_KEY = 0x6472_6F70_6F75_7421L;

    private PhiloxOracle() {}

    /** Ten rounds over a counter of four words with a key of two. */
    public static int[] block(int[] counter, int key0, int key1) {
        long c0 = counter[0] & MASK;
        long c1 = counter[1] & MASK;
        long c2 = counter[2] & MASK;
        long c3 = counter[3] & MASK;
        for (int round = 0; round < 10; round++) {
            long k0 = (key0 + round * 0x9E3779B9) & MASK;
            long k1 = (key1 + round * 0xBB67AE85) & MASK;
            long product0 = 0xD2511F53L * c0;
            long product1 = 0xCD9E8D57L * c2;
            c0 = (product1 >>> 32) ^ c1 ^ k0;
            c1 = product1 & MASK;
            c2 = (product0 >>> 32) ^ c3 ^ k1;
            c3 = product0 & MASK;
        }
        return new int[] {(int) c0, (int) c1, (int) c2, (int) c3};
    }

    /** Uniform in [low, high): float32 bits that every backend must give. */
    public static float[] uniform(long seed, long stream, int count, float low, float high) {
        float[] values = new float[count];
        float last = low < high ? Math.nextDown(high) : low;
        for (int i = 0; i < count; i++) {
            int word = randomBlock(seed, stream, i / 4, 0)[i % 4];
            double unit = (word >>> 8) * 0x1p-24;
            values[i] = Math.min((float) (unit * ((double) high - low) + low), last);
        }
        return values;
    }

    /** Normal, by Box and Muller from the two words of each pair. */
    public static double[] normal(long seed, long stream, int count, double mean, double std) {
        double[] values = new double[count];
        for (int i = 0; i < count; i++) {
            values[i] = mean + std * standardNormal(seed, stream, i, 0);
        }
        return values;
    }

    /** Normal, redrawn until it lies in [low, high]. */
    public static double[] truncatedNormal(
            long seed, long stream, int count, double mean, double std, double low, double high) {
        double[] values = normal(seed, stream, count, mean, std);
        for (int i = 0; i < count; i++) {
            for (int attempt = 1; (values[i] < low || values[i] > high) && attempt <= LAST_ATTEMPT; attempt++) {
                values[i] = mean + std * standardNormal(seed, stream, i, attempt);
            }
        }
        return values;
    }

    /** Which elements dropout keeps. */
    public static boolean[] kept(long seed, int stream, long step, int count, float probability) {
        long key = seed ^ DROPOUT_KEY;
        long threshold = (long) Math.rint(probability * 0x1p32);
        boolean[] kept = new boolean[count];
        for (int i = 0; i < count; i++) {
            int[] counter = {i / 4, (int) ((step >>> 32 & 0xffff) << 16), stream, (int) step};
            int word = block(counter, (int) key, (int) (key >>> 32))[i % 4];
            kept[i] = (word & MASK) >= threshold;
        }
        return kept;
    }

    private static int[] randomBlock(long seed, long stream, int block, int attempt) {
        int[] counter = {block, attempt << 16, (int) stream, (int) (stream >>> 32)};
        return block(counter, (int) seed, (int) (seed >>> 32));
    }

    private static double standardNormal(long seed, long stream, int index, int attempt) {
        int[] words = randomBlock(seed, stream, index / 4, attempt);
        int pair = index % 4 / 2 * 2;
        double radius = Math.sqrt(-2 * Math.log(((words[pair] & MASK) + 1) * 0x1p-32));
        double angle = 2 * Math.PI * ((words[pair + 1] & MASK) * 0x1p-32);
        return index % 2 == 0 ? radius * Math.cos(angle) : radius * Math.sin(angle);
    }
}
