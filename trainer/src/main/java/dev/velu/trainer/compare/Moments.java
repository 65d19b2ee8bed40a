package dev.velu.trainer.compare;

import org.apache.commons.statistics.descriptive.Mean;
import org.apache.commons.statistics.descriptive.StandardDeviation;

/** Mean and sample standard deviation. */
final class Moments {
    private Moments() {}

    /** Of at least one value. */
    static double mean(double[] values) {
        return Mean.of(values).getAsDouble();
    }

    /** With n - 1, of at least two values. */
    static double std(double[] values) {
        return StandardDeviation.of(values).getAsDouble();
    }
}
