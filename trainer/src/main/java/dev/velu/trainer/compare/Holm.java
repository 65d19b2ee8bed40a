package dev.velu.trainer.compare;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** Holm's step-down correction of p-values for several comparisons at once (S. Holm, Scand. J. Statist. 6, 1979). */
final class Holm {
    private Holm() {}

    /**
     * The corrected values: the i-th smallest of m is multiplied with {@code m - i + 1}, is at least the corrected one before it, and at
     * most 1.
     *
     * @param p null where there is no test, which then is none of the comparisons and stays null
     */
    static List<Double> correct(List<Double> p) {
        int[] ascending = IntStream.range(0, p.size())
                .filter(i -> p.get(i) != null)
                .boxed()
                .sorted(Comparator.comparing(p::get))
                .mapToInt(Integer::intValue)
                .toArray();
        Double[] corrected = new Double[p.size()];
        double before = 0;
        for (int i = 0; i < ascending.length; i++) {
            before = Math.max(before, Math.min(1, (ascending.length - i) * p.get(ascending[i])));
            corrected[ascending[i]] = before;
        }
        return new ArrayList<>(Arrays.asList(corrected));
    }
}
