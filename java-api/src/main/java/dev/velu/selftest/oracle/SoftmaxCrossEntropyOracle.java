package dev.velu.selftest.oracle;

/**
 * Softmax cross-entropy of logits {@code [rows, classes]}, averaged over the rows that have a label, against
 * {@code (1 - labelSmoothing) onehot + labelSmoothing / classes}. Label -1 leaves a row out. With other labels {@code share
 * onehot(label) + (1 - share) onehot(other)} stands for onehot.
 */
public record SoftmaxCrossEntropyOracle(int rows, int classes, double labelSmoothing) {
    public double loss(double[] logits, int[] labels) {
        return loss(logits, labels, null, null);
    }

    /**
     * The loss of rows of two classes.
     *
     * @param others the second labels, or null
     * @param shares of the first labels, or null
     */
    public double loss(double[] logits, int[] labels, int[] others, float[] shares) {
        double loss = 0;
        int labelled = 0;
        for (int r = 0; r < rows; r++) {
            if (labels[r] < 0) {
                continue;
            }
            labelled++;
            double logSumExp = logSumExp(logits, r);
            for (int c = 0; c < classes; c++) {
                double target = target(labels, others, shares, r, c);
                if (target != 0) {
                    loss += target * (logSumExp - logits[r * classes + c]);
                }
            }
        }
        return labelled == 0 ? 0 : loss / labelled;
    }

    /** log(sum(exp(logits))) of every row. */
    public double[] logSumExp(double[] logits) {
        double[] result = new double[rows];
        for (int r = 0; r < rows; r++) {
            result[r] = logSumExp(logits, r);
        }
        return result;
    }

    /** Gradient of {@code dloss * loss}. */
    public double[] backward(double[] logits, int[] labels, double dloss) {
        return backward(logits, labels, null, null, dloss);
    }

    /**
     * Gradient of {@code dloss * loss}.
     *
     * @param others the second labels, or null
     * @param shares of the first labels, or null
     */
    public double[] backward(double[] logits, int[] labels, int[] others, float[] shares, double dloss) {
        double[] dlogits = new double[rows * classes];
        int labelled = 0;
        for (int label : labels) {
            labelled += label < 0 ? 0 : 1;
        }
        for (int r = 0; r < rows; r++) {
            if (labels[r] >= 0) {
                double logSumExp = logSumExp(logits, r);
                for (int c = 0; c < classes; c++) {
                    double probability = Math.exp(logits[r * classes + c] - logSumExp);
                    dlogits[r * classes + c] = dloss * (probability - target(labels, others, shares, r, c)) / labelled;
                }
            }
        }
        return dlogits;
    }

    private double target(int[] labels, int[] others, float[] shares, int r, int c) {
        double share = others == null ? 1 : shares[r];
        double onehot = c == labels[r] ? share : 0;
        if (others != null && c == others[r]) {
            onehot += 1 - share;
        }
        return (1 - labelSmoothing) * onehot + labelSmoothing / classes;
    }

    private double logSumExp(double[] logits, int row) {
        double largest = Double.NEGATIVE_INFINITY;
        for (int c = 0; c < classes; c++) {
            largest = Math.max(largest, logits[row * classes + c]);
        }
        double sum = 0;
        for (int c = 0; c < classes; c++) {
            sum += Math.exp(logits[row * classes + c] - largest);
        }
        return largest + Math.log(sum);
    }
}
