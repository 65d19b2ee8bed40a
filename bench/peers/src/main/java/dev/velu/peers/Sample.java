package dev.velu.peers;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Some of what an activation gave, to be compared with ours.
 *
 * @param y {@value #COUNT} elements, evenly apart
 * @param w2 null for activations without it
 * @param dx as y; null without a backward pass
 * @param dlambda null for activations without it, and without a backward pass
 */
record Sample(float[] y, Double w2, float[] dx, Double dlambda) {
    private static final int COUNT = 64;

    /** The elements at {@code i (n / count)} of n, fewer of a tensor that has fewer. */
    static float[] of(float[] all) {
        float[] some = new float[Math.min(COUNT, all.length)];
        for (int i = 0; i < some.length; i++) {
            some[i] = all[(int) ((long) i * all.length / some.length)];
        }
        return some;
    }

    /** What there is, by name. */
    Map<String, Object> toMap() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("y", y);
        map.put("w2", w2);
        map.put("dx", dx);
        map.put("dlambda", dlambda);
        map.values().removeIf(value -> value == null);
        return map;
    }
}
