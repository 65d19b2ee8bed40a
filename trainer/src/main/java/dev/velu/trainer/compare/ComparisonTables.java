package dev.velu.trainer.compare;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** What a comparison says, as tables and sentences: for the terminal and {@code table.md}. */
public final class ComparisonTables {
    private static final String NOTHING = "-";
    private static final double SMALLEST_SHOWN_P = 0.0001;
    private static final double MIB = 1 << 20;

    private ComparisonTables() {}

    /** What the numbers of {@link #means} are. */
    public static String caption(Comparison comparison) {
        ComparisonSummary summary = comparison.summary();
        String epoch = summary.epoch() == EpochChoice.LAST
                ? "of the last epoch"
                : "of the epoch with the best eval top-1, which was chosen on the same images and so flatters";
        return summary.metric().title() + " " + epoch + ", "
                + (summary.metric().higherIsBetter() ? "higher" : "lower")
                + " is better; mean ± sample standard deviation over seeds (number of seeds). "
                + comparison.finished() + " of " + comparison.cells().size() + " cells are finished.";
    }

    /** Networks and data sets down, activations across. */
    public static TextTable means(ComparisonSummary summary) {
        List<String> header = new ArrayList<>(List.of("model", "data"));
        header.addAll(summary.activations());
        List<List<String>> rows = new ArrayList<>();
        List<List<Integer>> bold = new ArrayList<>();
        for (SummaryRow row : summary.rows()) {
            List<String> cells = new ArrayList<>(List.of(row.model(), row.data()));
            List<Integer> best = new ArrayList<>();
            for (CellGroup group : row.groups()) {
                if (group.best()) {
                    best.add(cells.size());
                }
                cells.add(mean(group, summary.metric()));
            }
            rows.add(cells);
            bold.add(best);
        }
        List<String> ranks = new ArrayList<>(List.of("mean rank", ""));
        summary.ranks().forEach(rank -> ranks.add(rank.rank() == null ? NOTHING : number("%.2f", rank.rank())));
        rows.add(ranks);
        bold.add(List.of());
        return new TextTable(header, 2, rows, bold);
    }

    /** E.g. {@code 97.40 ± 0.12 (3)}. */
    static String mean(CellGroup group, Metric metric) {
        if (group.mean() == null) {
            return NOTHING;
        }
        String std = group.std() == null ? "" : " ± " + metric.format(group.std());
        return metric.format(group.mean()) + std + " (" + group.values().size() + ")";
    }

    /** What is tested, and how few pairs limit it. */
    public static String testsCaption(ComparisonSummary summary) {
        int most = summary.tests().stream().mapToInt(PairedTest::pairs).max().orElse(0);
        String limit = most < 2
                ? ""
                : number(
                        " With %d pairs, the most here, no Wilcoxon p can be below %s.",
                        most, p(PairedTest.smallestWilcoxonP(most)));
        return summary.baseline() + " minus the other, in pairs of the same network, data set and seed: mean"
                + " difference of " + summary.metric().title()
                + " with its 95 % confidence interval, effect size d_z, two-sided p of the paired t-test and of"
                + " Wilcoxon's signed-rank test, each also with Holm's correction for the comparisons of its kind"
                + " (single rows; all rows together)." + limit;
    }

    /** The paired tests. */
    public static TextTable tests(ComparisonSummary summary) {
        List<List<String>> rows = summary.tests().stream()
                .map(test -> test(test, summary.metric()))
                .toList();
        return TextTable.of(
                List.of(
                        "model",
                        "data",
                        "comparison",
                        "pairs",
                        "difference",
                        "d_z",
                        "t: p",
                        "Holm",
                        "Wilcoxon: p",
                        "Holm"),
                3,
                rows);
    }

    private static List<String> test(PairedTest test, Metric metric) {
        String difference = test.meanDifference() == null ? NOTHING : signed(metric, test.meanDifference());
        if (test.low() != null) {
            difference += " [" + signed(metric, test.low()) + ", " + signed(metric, test.high()) + "]";
        }
        if (test.note() != null) {
            difference = (test.meanDifference() == null ? "" : difference + "; ") + test.note();
        }
        return List.of(
                test.overall() ? "all" : test.model(),
                test.overall() ? "all" : test.data(),
                test.baseline() + " - " + test.other(),
                Integer.toString(test.pairs()),
                difference,
                test.effectSize() == null ? NOTHING : number("%+.2f", test.effectSize()),
                p(test.tP()),
                p(test.tPHolm()),
                p(test.wilcoxonP()),
                p(test.wilcoxonPHolm()));
    }

    private static String signed(Metric metric, double value) {
        String text = metric.format(value);
        return text.startsWith("-") ? text : "+" + text;
    }

    /** A p-value as it is read; a dash for none. */
    public static String p(Double p) {
        if (p == null) {
            return NOTHING;
        }
        return p < SMALLEST_SHOWN_P ? "<" + SMALLEST_SHOWN_P : number("%.4f", p);
    }

    /** The Friedman test in a sentence. */
    public static String friedman(ComparisonSummary summary) {
        FriedmanTest test = summary.friedman();
        String what = "Friedman test over the " + test.treatments() + " activations: ";
        return test.note() != null
                ? what + test.note() + "."
                : what
                        + number(
                                "chi-squared %.3f with %d degrees of freedom over %d blocks, p %s.",
                                test.statistic(), test.degreesOfFreedom(), test.blocks(), p(test.p()));
    }

    /** Time and memory per cell, means over the finished seeds. */
    public static TextTable costs(ComparisonSummary summary) {
        List<List<String>> rows = new ArrayList<>();
        for (SummaryRow row : summary.rows()) {
            for (CellGroup group : row.groups()) {
                rows.add(List.of(
                        row.model(),
                        row.data(),
                        group.activation(),
                        group.values().size() + "/" + group.planned(),
                        group.seconds() == null ? NOTHING : CompareProgress.duration(group.seconds()),
                        group.imagesPerSecond() == null ? NOTHING : number("%.1f", group.imagesPerSecond()),
                        mebibytes(group.plannedMemoryBytes()),
                        mebibytes(group.peakMemoryBytes())));
            }
        }
        return TextTable.of(
                List.of("model", "data", "activation", "cells", "time", "images/s", "planned MiB", "peak MiB"),
                3,
                rows);
    }

    /** What did not work, one line each. */
    public static TextTable failures(Comparison comparison) {
        return TextTable.of(
                List.of("cell", "error"),
                2,
                comparison.failures().stream()
                        .map(result -> List.of(result.cell(), result.error()))
                        .toList());
    }

    /** Bytes in MiB without the unit. */
    public static String mebibytes(Long bytes) {
        return bytes == null ? NOTHING : number("%.0f", bytes / MIB);
    }

    private static String number(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }
}
