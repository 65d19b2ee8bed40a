package dev.velu.trainer.compare;

import com.fasterxml.jackson.annotation.JsonValue;
import dev.velu.trainer.run.EpochMetrics;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;

/** By what cells are compared: a field of {@link EpochMetrics} and how it is shown. */
public enum Metric {
    EVAL_TOP1("eval top-1 (%)", true, 100, 2, EpochMetrics::evalTop1),
    EVAL_TOP5("eval top-5 (%)", true, 100, 2, EpochMetrics::evalTop5),
    EVAL_LOSS("eval loss", false, 1, 4, EpochMetrics::evalLoss),
    TRAIN_TOP1("train top-1 (%)", true, 100, 2, EpochMetrics::trainTop1),
    TRAIN_LOSS("train loss", false, 1, 4, EpochMetrics::trainLoss),
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

    /** @throws IllegalArgumentException for another name */
    public static Metric named(String label) {
        return Arrays.stream(values())
                .filter(metric -> metric.label().equals(label))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("unknown metric '" + label + "'; use one of "
                        + Arrays.stream(values()).map(Metric::label).collect(Collectors.joining(", "))));
    }
}
