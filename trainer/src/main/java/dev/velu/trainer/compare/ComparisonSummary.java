package dev.velu.trainer.compare;

import dev.velu.trainer.run.EpochMetrics;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * What the finished cells say together; {@code summary.json}.
 *
 * @param baseline the activation that every other is compared with
 * @param rows of the table
 * @param ranks one per activation
 * @param tests of single rows first, then over all if there are several rows; empty with one activation
 */
public record ComparisonSummary(
        Metric metric,
        EpochChoice epoch,
        String baseline,
        List<String> activations,
        List<SummaryRow> rows,
        List<MeanRank> ranks,
        List<PairedTest> tests,
        FriedmanTest friedman) {

    /** What a row of the table is about. */
    private record RowKey(String model, String data) {}

    /** What cells that are compared have in common. */
    private record Block(String model, String data, long seed) {}

    static ComparisonSummary of(List<Cell> cells, Map<String, CellResult> results, Judgement judgement) {
        Set<String> distinct = new LinkedHashSet<>();
        Set<RowKey> keys = new LinkedHashSet<>();
        Map<Block, Map<String, Double>> blocks = new LinkedHashMap<>();
        for (Cell cell : cells) {
            distinct.add(cell.activation());
            keys.add(new RowKey(cell.model(), cell.data()));
            Double value = value(results.get(cell.id()), judgement);
            if (value != null) {
                blocks.computeIfAbsent(
                                new Block(cell.model(), cell.data(), cell.seed()), block -> new LinkedHashMap<>())
                        .put(cell.activation(), value);
            }
        }
        List<String> activations = List.copyOf(distinct);
        List<SummaryRow> rows = keys.stream()
                .map(key -> row(key, activations, cells, results, judgement))
                .toList();
        return new ComparisonSummary(
                judgement.metric(),
                judgement.epoch(),
                judgement.baseline(),
                activations,
                rows,
                MeanRank.of(activations, rows, judgement.metric().higherIsBetter()),
                tests(keys, activations, judgement.baseline(), blocks),
                friedman(activations, blocks));
    }

    /** Null if the cell is not finished. */
    private static Double value(CellResult result, Judgement judgement) {
        if (result == null || result.status() != CellStatus.OK) {
            return null;
        }
        EpochMetrics metrics = judgement.epoch().of(result);
        return metrics == null ? null : judgement.metric().of(metrics);
    }

    private static SummaryRow row(
            RowKey key,
            List<String> activations,
            List<Cell> cells,
            Map<String, CellResult> results,
            Judgement judgement) {
        List<CellGroup> groups = new ArrayList<>();
        for (String activation : activations) {
            List<Cell> ofGroup = cells.stream()
                    .filter(cell -> cell.model().equals(key.model())
                            && cell.data().equals(key.data())
                            && cell.activation().equals(activation))
                    .toList();
            List<SeedValue> values = new ArrayList<>();
            List<CellResult> finished = new ArrayList<>();
            for (Cell cell : ofGroup) {
                CellResult result = results.get(cell.id());
                Double value = value(result, judgement);
                if (value != null) {
                    values.add(new SeedValue(cell.seed(), value));
                    finished.add(result);
                }
            }
            groups.add(CellGroup.of(activation, values, ofGroup.size(), finished));
        }
        return new SummaryRow(key.model(), key.data(), withBest(groups, judgement.metric()));
    }

    private static List<CellGroup> withBest(List<CellGroup> groups, Metric metric) {
        double[] means = groups.stream()
                .map(CellGroup::mean)
                .filter(Objects::nonNull)
                .mapToDouble(mean -> metric.higherIsBetter() ? mean : -mean)
                .sorted()
                .toArray();
        if (means.length < 2) {
            return groups;
        }
        double best = metric.higherIsBetter() ? means[means.length - 1] : -means[means.length - 1];
        return groups.stream()
                .map(group -> group.withBest(group.mean() != null && group.mean() == best))
                .toList();
    }

    private static List<PairedTest> tests(
            Set<RowKey> rows, List<String> activations, String baseline, Map<Block, Map<String, Double>> blocks) {
        List<PairedTest> ofRows = new ArrayList<>();
        List<PairedTest> overall = new ArrayList<>();
        List<String> others = activations.stream()
                .filter(activation -> !activation.equals(baseline))
                .toList();
        for (RowKey row : rows) {
            Map<Block, Map<String, Double>> ofRow = new LinkedHashMap<>(blocks);
            ofRow.keySet().removeIf(block -> !row.equals(new RowKey(block.model(), block.data())));
            for (String other : others) {
                ofRows.add(test(row.model(), row.data(), baseline, other, ofRow));
            }
        }
        // Over one row it would be the same again.
        if (rows.size() > 1) {
            for (String other : others) {
                overall.add(test(null, null, baseline, other, blocks));
            }
        }
        List<PairedTest> all = new ArrayList<>(corrected(ofRows));
        all.addAll(corrected(overall));
        return List.copyOf(all);
    }

    private static PairedTest test(
            String model, String data, String baseline, String other, Map<Block, Map<String, Double>> blocks) {
        List<Map<String, Double>> pairs = blocks.values().stream()
                .filter(values -> values.containsKey(baseline) && values.containsKey(other))
                .toList();
        return PairedTest.of(model, data, baseline, other, column(pairs, baseline), column(pairs, other));
    }

    private static double[] column(List<Map<String, Double>> blocks, String activation) {
        return blocks.stream().mapToDouble(values -> values.get(activation)).toArray();
    }

    private static List<PairedTest> corrected(List<PairedTest> tests) {
        List<Double> t = Holm.correct(tests.stream().map(PairedTest::tP).toList());
        List<Double> wilcoxon =
                Holm.correct(tests.stream().map(PairedTest::wilcoxonP).toList());
        List<PairedTest> corrected = new ArrayList<>();
        for (int i = 0; i < tests.size(); i++) {
            corrected.add(tests.get(i).withHolm(t.get(i), wilcoxon.get(i)));
        }
        return corrected;
    }

    private static FriedmanTest friedman(List<String> activations, Map<Block, Map<String, Double>> blocks) {
        List<double[]> complete = blocks.values().stream()
                .filter(values -> values.size() == activations.size())
                .map(values -> activations.stream().mapToDouble(values::get).toArray())
                .toList();
        return FriedmanTest.of(complete, activations.size());
    }
}
