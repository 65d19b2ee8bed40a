package dev.velu.trainer.compare;

import com.fasterxml.jackson.annotation.JsonValue;
import dev.velu.trainer.run.EpochMetrics;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;

/** By what cells are compared: a field of {@link EpochMetrics} and how it is shown. */
public enum Metric {
    /** Share of evaluation images whose most probable class is right. */
    EVAL_TOP1("eval top-1 (%)", true, 100, 2, EpochMetrics::evalTop1),
    /** Share of evaluation images whose class is among the five most probable. */
    EVAL_TOP5("eval top-5 (%)", true, 100, 2, EpochMetrics::evalTop5),
    /** Mean cross-entropy of the evaluation images. */
    EVAL_LOSS("eval loss", false, 1, 4, EpochMetrics::evalLoss),
    /** Share of training images whose most probable class is right. */
    TRAIN_TOP1("train top-1 (%)", true, 100, 2, EpochMetrics::trainTop1),
    /** Mean cross-entropy of the training images. */
    TRAIN_LOSS("train loss", false, 1, 4, EpochMetrics::trainLoss),
    /** Training images per second. */
    IMAGES_PER_SECOND("images/s", true, 1, 1, EpochMetrics::imagesPerSecond);

    private final String title;
    private final boolean higherIsBetter;
    private final double scale;
    private final int decimals;
    private final ToDoubleFunction<EpochMetrics> field;

    Metric(String title, boolean higherIsBetter, double scale, int decimals, ToDoubleFunction<EpochMetrics> field) {
        this.title = title;
        this.higherIsBetter = higherIsBetter;
        this.scale = scale;
        this.decimals = decimals;
        this.field = field;
    }

    /** As in {@code metrics.jsonl} and on the command line. */
    @JsonValue
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** For people, with its unit. */
    public String title() {
        return title;
    }

    /** Whether more of it is better. */
    public boolean higherIsBetter() {
        return higherIsBetter;
    }

    /** What values are multiplied with to be shown: 100 for fractions. */
    public double scale() {
        return scale;
    }

    /** The field itself, unscaled. */
    public double of(EpochMetrics metrics) {
        return field.applyAsDouble(metrics);
    }

    /** A value, or a difference of values, as it is shown. */
    public String format(double value) {
        return String.format(Locale.ROOT, "%." + decimals + "f", value * scale);
    }

    /**
     * The metric of this name.
     *
     * @throws IllegalArgumentException for another name
     */
    public static Metric named(String label) {
        return Arrays.stream(values())
                .filter(metric -> metric.label().equals(label))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("unknown metric '" + label + "'; use one of "
                        + Arrays.stream(values()).map(Metric::label).collect(Collectors.joining(", "))));
    }
}
