package dev.velu.trainer.compare;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.velu.trainer.run.RunException;
import dev.velu.trainer.run.WholeFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** {@code results.jsonl}: one line per cell that ran, in the order of the grid. It is replaced whole. */
record ResultsFile(Path path) {
    static final String NAME = "results.jsonl";

    static ResultsFile in(Path comparison) {
        return new ResultsFile(comparison.resolve(NAME));
    }

    /**
     * The results by the cells' ids; empty without a file.
     *
     * @throws RunException if a line is damaged; names it
     */
    Map<String, CellResult> read() throws IOException {
        Map<String, CellResult> results = new LinkedHashMap<>();
        if (Files.exists(path)) {
            int number = 0;
            for (String line : Files.readAllLines(path, StandardCharsets.UTF_8)) {
                number++;
                try {
                    CellResult result = ComparisonJson.MAPPER.readValue(line, CellResult.class);
                    results.put(result.cell(), result);
                } catch (JsonProcessingException e) {
                    throw new RunException(
                            path + ", line " + number + " is damaged; delete that line to train its cell again", e);
                }
            }
        }
        return results;
    }

    void write(List<Cell> order, Map<String, CellResult> results) throws IOException {
        StringBuilder lines = new StringBuilder();
        for (Cell cell : order) {
            CellResult result = results.get(cell.id());
            if (result != null) {
                lines.append(ComparisonJson.MAPPER.writeValueAsString(result)).append('\n');
            }
        }
        WholeFile.write(path, lines.toString());
    }
}
