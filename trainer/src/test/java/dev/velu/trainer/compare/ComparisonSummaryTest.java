package dev.velu.trainer.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.velu.trainer.run.EpochMetrics;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

class ComparisonSummaryTest {
    private static final Judgement TOP1 = new Judgement(Metric.EVAL_TOP1, EpochChoice.LAST, "velu");

    private final Map<String, CellResult> results = new LinkedHashMap<>();

    private static List<Cell> cells(List<String> models, List<String> activations, Long... seeds) {
        return Grid.of(models, activations, List.of("shapes"), List.of(seeds)).cells(UnaryOperator.identity());
    }

    /** The cell is finished, with these evaluations of its epochs. */
    private void finished(List<Cell> cells, String id, double... top1) {
        Cell cell = cells.stream().filter(c -> c.id().equals(id)).findFirst().orElseThrow();
        List<EpochMetrics> history = new ArrayList<>();
        for (double value : top1) {
            history.add(FakeCells.metrics(history.size() + 1, value));
        }
        CellEnd end = new CellEnd(CellStatus.OK, null, 10L, 20L, 30L);
        results.put(id, CellResult.of(cell, end, history, false, Instant.EPOCH));
    }

    @Test
    void aRowHasMeanAndSampleDeviationAndTheBestIsMarked() {
        List<Cell> cells = cells(List.of("resnet50"), List.of("velu", "relu"), 0L, 1L);
        finished(cells, "resnet50-velu-shapes-0", 0.6);
        finished(cells, "resnet50-velu-shapes-1", 0.8);
        finished(cells, "resnet50-relu-shapes-0", 0.5);

        ComparisonSummary summary = ComparisonSummary.of(cells, results, TOP1);

        SummaryRow row = summary.rows().getFirst();
        CellGroup velu = row.groups().getFirst();
        CellGroup relu = row.groups().getLast();
        assertThat(velu.mean()).isCloseTo(0.7, within(1e-12));
        assertThat(velu.std()).isCloseTo(Math.sqrt(0.02), within(1e-12));
        assertThat(velu.best()).isTrue();
        assertThat(relu.std()).isNull();
        assertThat(relu.best()).isFalse();
        assertThat(relu.planned()).isEqualTo(2);
        assertThat(relu.values()).containsExactly(new SeedValue(0, 0.5));
        assertThat(ComparisonTables.means(summary).rows().getFirst())
                .containsExactly("resnet50", "shapes", "70.00 ± 14.14 (2)", "50.00 (1)");
    }

    @Test
    void onlySeedsOfWhichBothAreFinishedMakeAPair() {
        List<Cell> cells = cells(List.of("resnet50"), List.of("velu", "relu"), 0L, 1L, 2L);
        finished(cells, "resnet50-velu-shapes-0", 0.6);
        finished(cells, "resnet50-velu-shapes-1", 0.8);
        finished(cells, "resnet50-relu-shapes-1", 0.5);
        finished(cells, "resnet50-relu-shapes-2", 0.9);

        PairedTest test = ComparisonSummary.of(cells, results, TOP1).tests().getFirst();

        assertThat(test.pairs()).isEqualTo(1);
        assertThat(test.meanDifference()).isCloseTo(0.3, within(1e-12));
        assertThat(test.note()).contains("two seeds");
    }

    @Test
    void lessIsBetterForALoss() {
        List<Cell> cells = cells(List.of("resnet50"), List.of("velu", "relu"), 0L);
        finished(cells, "resnet50-velu-shapes-0", 0.6);
        finished(cells, "resnet50-relu-shapes-0", 0.6);
        // The same losses but for one.
        results.computeIfPresent("resnet50-relu-shapes-0", (id, result) -> withLoss(result, 0.25));

        ComparisonSummary summary =
                ComparisonSummary.of(cells, results, new Judgement(Metric.EVAL_LOSS, EpochChoice.LAST, "velu"));

        assertThat(summary.rows().getFirst().groups().getLast().best()).isTrue();
        assertThat(summary.ranks().getLast().rank()).isEqualTo(1);
    }

    private static CellResult withLoss(CellResult result, double loss) {
        try {
            String json = ComparisonJson.MAPPER
                    .writeValueAsString(result)
                    .replace("\"eval_loss\":1.0", "\"eval_loss\":" + loss);
            return ComparisonJson.MAPPER.readValue(json, CellResult.class);
        } catch (JsonProcessingException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void theEpochThatCountsIsTheOneAskedFor() {
        List<Cell> cells = cells(List.of("resnet50"), List.of("velu"), 0L);
        finished(cells, "resnet50-velu-shapes-0", 0.2, 0.9, 0.9, 0.4);

        Double last = ComparisonSummary.of(cells, results, TOP1)
                .rows()
                .getFirst()
                .groups()
                .getFirst()
                .mean();
        Double best = ComparisonSummary.of(cells, results, new Judgement(Metric.EVAL_TOP1, EpochChoice.BEST, "velu"))
                .rows()
                .getFirst()
                .groups()
                .getFirst()
                .mean();

        assertThat(last).isEqualTo(0.4);
        assertThat(best).isEqualTo(0.9);
        assertThat(results.values().iterator().next().best().epoch()).isEqualTo(2);
    }

    @Test
    void severalRowsAreAlsoTestedTogetherAndCorrectedApart() {
        List<Cell> cells = cells(List.of("resnet50", "vit_b_16"), List.of("velu", "relu", "gelu"), 0L, 1L);
        double step = 0.001;
        for (Cell cell : cells) {
            step *= 1.3;
            finished(cells, cell.id(), (cell.activation().equals("velu") ? 0.8 : 0.5) + step);
        }

        ComparisonSummary summary = ComparisonSummary.of(cells, results, TOP1);

        assertThat(summary.tests()).hasSize(6);
        PairedTest overall = summary.tests().getLast();
        assertThat(overall.overall()).isTrue();
        assertThat(overall.pairs()).isEqualTo(4);
        assertThat(overall.tPHolm()).isLessThanOrEqualTo(2 * overall.tP());
        assertThat(summary.tests().stream().limit(4)).allMatch(test -> test.tPHolm() > test.tP() || test.tPHolm() == 1);
        assertThat(summary.friedman().blocks()).isEqualTo(4);
        assertThat(summary.friedman().p()).isNotNull();
        assertThat(summary.ranks().getFirst().rank()).isEqualTo(1);
    }

    @Test
    void nothingFinishedIsSaidWithoutANumber() throws Exception {
        List<Cell> cells = cells(List.of("resnet50"), List.of("velu", "relu", "gelu"), 0L);

        ComparisonSummary summary = ComparisonSummary.of(cells, results, TOP1);

        assertThat(ComparisonTables.means(summary).rows().getFirst())
                .containsExactly("resnet50", "shapes", "-", "-", "-");
        assertThat(ComparisonTables.tests(summary).markdown())
                .contains("none is finished")
                .doesNotContain("NaN");
        assertThat(ComparisonTables.costs(summary).markdown()).contains("0/1");
        assertThat(ComparisonTables.friedman(summary)).contains("needs at least two seeds");
        assertThat(ComparisonJson.MAPPER.writeValueAsString(summary)).doesNotContain("NaN");
    }

    @Test
    void namesWithMarkupStayTextInMarkdown() {
        TextTable table = TextTable.of(List.of("a"), 1, List.of(List.of("x|y<b>*z*\n#")));

        assertThat(table.markdown()).isEqualTo("| a |\n|---|\n| x\\|y\\<b\\>\\*z\\* # |\n");
    }
}
