package dev.velu.selftest.oracle;

/** Counting of rows whose label is among the k largest logits. */
public final class TopKOracle {
    private TopKOracle() {}

    /**
     * Of equal logits the lower class ranks first, a NaN ranks above everything, a row whose own logit is NaN is never
     * correct, rows with label -1 do not count.
     */
    public static long count(double[] logits, int[] labels, int classes, int k) {
        long count = 0;
        for (int r = 0; r < labels.length; r++) {
            int label = labels[r];
            if (label < 0 || Double.isNaN(logits[r * classes + label])) {
                continue;
            }
            double own = logits[r * classes + label];
            int above = 0;
            for (int c = 0; c < classes; c++) {
                double other = logits[r * classes + c];
                if (Double.isNaN(other) || other > own || (other == own && c < label)) {
                    above++;
                }
            }
            count += above < k ? 1 : 0;
        }
        return count;
    }
}
