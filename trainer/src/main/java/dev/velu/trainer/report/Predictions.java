package dev.velu.trainer.report;

import java.util.Arrays;

/** What a network said of every image of an evaluation. */
public final class Predictions {
    private int size;
    private int[] indices = new int[1024];
    private int[] actual = new int[1024];
    private int[] predicted = new int[1024];
    private float[] confidence = new float[1024];

    /**
     * Adds an image.
     *
     * @param index of the image in the data set
     * @param label its class
     * @param logits one score per class, at least one; of equal ones the first counts
     */
    public void add(int index, int label, float[] logits) {
        if (size == indices.length) {
            indices = Arrays.copyOf(indices, 2 * size);
            actual = Arrays.copyOf(actual, 2 * size);
            predicted = Arrays.copyOf(predicted, 2 * size);
            confidence = Arrays.copyOf(confidence, 2 * size);
        }
        int best = 0;
        for (int c = 1; c < logits.length; c++) {
            if (logits[c] > logits[best]) {
                best = c;
            }
        }
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp((double) logit - logits[best]);
        }
        indices[size] = index;
        actual[size] = label;
        predicted[size] = best;
        confidence[size] = (float) (1 / sum);
        size++;
    }

    /** Images so far. */
    public int size() {
        return size;
    }

    /** Index in the data set of the i-th image. */
    int index(int i) {
        return indices[i];
    }

    int actual(int i) {
        return actual[i];
    }

    int predicted(int i) {
        return predicted[i];
    }

    /** Probability of the predicted class, in (0, 1]. */
    float confidence(int i) {
        return confidence[i];
    }

    boolean isRight(int i) {
        return actual[i] == predicted[i];
    }
}
