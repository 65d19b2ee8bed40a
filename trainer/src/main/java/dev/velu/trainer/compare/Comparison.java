package dev.velu.trainer.compare;

import dev.velu.trainer.run.EpochMetrics;
import dev.velu.trainer.run.RunException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * What is known of a comparison.
 *
 * @param cells in the order of the grid
 * @param results by the cells' ids; none for cells that did not run
 */
public record Comparison(Path folder, List<Cell> cells, Map<String, CellResult> results, ComparisonSummary summary) {

    static Comparison of(Path folder, GridRecord grid, Map<String, CellResult> results) {
        return new Comparison(
                folder, grid.cells(), results, ComparisonSummary.of(grid.cells(), results, grid.judgement()));
    }

    /** Whether a folder is that of a comparison. */
    public static boolean isComparison(Path folder) {
        return GridRecord.isIn(folder);
    }

    /** @throws RunException if the folder is not that of a comparison, or its files are damaged */
    public static Comparison read(Path folder) throws IOException {
        if (!isComparison(folder)) {
            throw new RunException(folder + " holds no comparison: there is no " + GridRecord.NAME);
        }
        return of(folder, GridRecord.read(folder), ResultsFile.in(folder).read());
    }

    /** The folder of a cell's training run. */
    public Path cellFolder(Cell cell) {
        return CellFolder.of(folder, cell).path();
    }

    /**
     * The metrics of a cell's epochs so far.
     *
     * @throws RunException if the file is damaged
     */
    public List<EpochMetrics> history(Cell cell) throws IOException {
        return CellFolder.of(folder, cell).history();
    }

    /** Cells with all epochs done. */
    public long finished() {
        return cells.stream()
                .map(cell -> results.get(cell.id()))
                .filter(result -> result != null && result.status() == CellStatus.OK)
                .count();
    }

    /** Results of the cells that failed. */
    public List<CellResult> failures() {
        return cells.stream()
                .map(cell -> results.get(cell.id()))
                .filter(result -> result != null && result.status() == CellStatus.FAILED)
                .toList();
    }
}
