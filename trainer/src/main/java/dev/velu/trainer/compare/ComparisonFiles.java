package dev.velu.trainer.compare;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.dataformat.csv.CsvMapper;
import com.fasterxml.jackson.dataformat.csv.CsvSchema;
import dev.velu.trainer.run.WholeFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * The tables of a comparison as files: {@code table.md} to read, {@code table.csv} (a line per network, data set and activation) and {@code
 * tests.csv} for spreadsheets, {@code summary.json} with everything. Values of the metric in CSV and JSON are unscaled.
 */
final class ComparisonFiles {
    private static final CsvMapper CSV = CsvMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .disable(MapperFeature.SORT_PROPERTIES_ALPHABETICALLY)
            .build();

    /** A line of {@code table.csv}. */
    record MeanLine(
            String model,
            String data,
            String activation,
            Metric metric,
            EpochChoice epoch,
            int cells,
            int finished,
            Double mean,
            Double std,
            boolean best,
            Double seconds,
            Double imagesPerSecond,
            Long plannedMemoryBytes,
            Long peakMemoryBytes) {}

    /** A line of {@code tests.csv}; empty model and data: over all. */
    record TestLine(
            String model,
            String data,
            String baseline,
            String other,
            int pairs,
            Double meanDifference,
            Double low,
            Double high,
            Double effectSize,
            Double t,
            @JsonProperty("t_p") Double tP,
            @JsonProperty("t_p_holm") Double tPHolm,
            Double wilcoxon,
            @JsonProperty("wilcoxon_p") Double wilcoxonP,
            @JsonProperty("wilcoxon_p_holm") Double wilcoxonPHolm,
            String note) {}

    private ComparisonFiles() {}

    static void write(Comparison comparison) throws IOException {
        Path folder = comparison.folder();
        ComparisonSummary summary = comparison.summary();
        WholeFile.write(folder.resolve("table.md"), markdown(comparison));
        WholeFile.write(folder.resolve("table.csv"), csv(MeanLine.class, means(summary)));
        WholeFile.write(folder.resolve("tests.csv"), csv(TestLine.class, tests(summary)));
        WholeFile.write(
                folder.resolve("summary.json"),
                ComparisonJson.MAPPER.writer(SerializationFeature.INDENT_OUTPUT).writeValueAsString(summary) + "\n");
    }

    private static String markdown(Comparison comparison) {
        ComparisonSummary summary = comparison.summary();
        StringBuilder text = new StringBuilder("# Comparison of activation functions\n\n");
        text.append(ComparisonTables.caption(comparison)).append(" Best of a row in bold.\n\n");
        text.append(ComparisonTables.means(summary).markdown());
        if (!summary.tests().isEmpty()) {
            text.append("\n## Significance\n\n");
            text.append(ComparisonTables.testsCaption(summary)).append("\n\n");
            text.append(ComparisonTables.tests(summary).markdown()).append('\n');
            text.append(ComparisonTables.friedman(summary)).append('\n');
        }
        text.append("\n## Time and memory per cell\n\n");
        text.append(ComparisonTables.costs(summary).markdown());
        if (!comparison.failures().isEmpty()) {
            text.append("\n## Failed cells\n\n");
            text.append(ComparisonTables.failures(comparison).markdown());
        }
        return text.toString();
    }

    private static List<MeanLine> means(ComparisonSummary summary) {
        return summary.rows().stream()
                .flatMap(row -> row.groups().stream()
                        .map(group -> new MeanLine(
                                row.model(),
                                row.data(),
                                group.activation(),
                                summary.metric(),
                                summary.epoch(),
                                group.planned(),
                                group.values().size(),
                                group.mean(),
                                group.std(),
                                group.best(),
                                group.seconds(),
                                group.imagesPerSecond(),
                                group.plannedMemoryBytes(),
                                group.peakMemoryBytes())))
                .toList();
    }

    private static List<TestLine> tests(ComparisonSummary summary) {
        return summary.tests().stream()
                .map(test -> new TestLine(
                        test.model(),
                        test.data(),
                        test.baseline(),
                        test.other(),
                        test.pairs(),
                        test.meanDifference(),
                        test.low(),
                        test.high(),
                        test.effectSize(),
                        test.t(),
                        test.tP(),
                        test.tPHolm(),
                        test.wilcoxon(),
                        test.wilcoxonP(),
                        test.wilcoxonPHolm(),
                        test.note()))
                .toList();
    }

    private static String csv(Class<?> type, List<?> lines) throws IOException {
        CsvSchema schema = CSV.schemaFor(type).withHeader();
        return CSV.writer(schema).writeValueAsString(lines);
    }
}
