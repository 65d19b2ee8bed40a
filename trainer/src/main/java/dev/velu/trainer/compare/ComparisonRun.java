package dev.velu.trainer.compare;

import dev.velu.trainer.run.EpochMetrics;
import dev.velu.trainer.run.FolderLock;
import dev.velu.trainer.run.Interruption;
import dev.velu.trainer.run.RunException;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Trains the cells of a comparison that are not finished yet, one after the other, with its files in one folder.
 *
 * <p>{@code compare.json} is the grid, {@code results.jsonl} has a line per cell that ran, {@code cells/ID} are the runs. However the
 * process ends, the next one goes on: a finished cell is not trained again, an interrupted one resumes from its checkpoint, a failed one
 * is tried once more. The tables and the report are written again after every cell.
 */
public final class ComparisonRun {
    /** What is made of the results after every cell. */
    @FunctionalInterface
    public interface Report {
        /** Writes the report. */
        void write(Comparison comparison) throws IOException;
    }

    private final Path folder;
    private final GridRecord grid;
    private final CellRunner runner;
    private final CompareProgress progress;
    private final Report report;
    private volatile boolean stopping;

    /**
     * Nothing is read or written yet.
     *
     * @param cells in the order in which they are trained
     */
    public ComparisonRun(
            Path folder,
            List<Cell> cells,
            Judgement judgement,
            CellRunner runner,
            CompareProgress progress,
            Report report) {
        this.folder = folder;
        this.grid = new GridRecord(List.copyOf(cells), judgement);
        this.runner = runner;
        this.progress = progress;
        this.report = report;
    }

    /** The cells that a folder is for, to go on without saying them again; throws {@link RunException} if it is for none. */
    public static List<Cell> savedCells(Path folder) throws IOException {
        return Comparison.read(folder).cells();
    }

    /** How a folder's comparison was judged the last time. */
    public static Judgement savedJudgement(Path folder) throws IOException {
        return GridRecord.read(folder).judgement();
    }

    /**
     * Trains what is left. Cells that fail are in the results; the others are trained all the same.
     *
     * @throws RunException if the folder is for another grid, another process is at work in it, or it cannot be used
     */
    @SuppressWarnings("try") // What is held while it runs is not spoken to.
    public Comparison run() throws IOException, InterruptedException {
        try {
            Files.createDirectories(folder.resolve(CellFolder.CELLS));
        } catch (FileAlreadyExistsException e) {
            throw new RunException(e.getFile() + " is not a folder; compare in another --output", e);
        }
        try (FolderLock lock = OutputLock.take(folder);
                Interruption interruption = new Interruption(this::stop)) {
            requireSameGrid();
            grid.write(folder);
            Map<String, CellResult> results = ResultsFile.in(folder).read();
            List<Cell> left = left(results);
            progress.begin(grid.cells().size(), grid.cells().size() - left.size());
            for (Cell cell : left) {
                if (stopping) {
                    break;
                }
                CellResult result = train(cell, results);
                results.put(cell.id(), result);
                progress.end(result, remainingSeconds(left.subList(left.indexOf(cell) + 1, left.size()), results));
                save(results);
            }
            Comparison comparison = save(results);
            if (stopping) {
                progress.stopped(comparison);
            }
            return comparison;
        }
    }

    /** Lets the cell that is running save, and ends {@link #run}. Called by another thread. */
    public void stop() {
        stopping = true;
        runner.stop();
    }

    /** Whether {@link #stop} came before the last cell was finished. */
    public boolean stopped() {
        return stopping;
    }

    private void requireSameGrid() throws IOException {
        if (GridRecord.isIn(folder)) {
            grid.requireGrownFrom(GridRecord.read(folder), folder);
        } else if (Files.exists(folder.resolve("config.json"))) {
            throw new RunException(folder + " holds a training run; compare in another --output");
        }
    }

    private List<Cell> left(Map<String, CellResult> results) throws IOException {
        List<Cell> left = new ArrayList<>();
        for (Cell cell : grid.cells()) {
            CellResult result = results.get(cell.id());
            if (result == null || result.status() != CellStatus.OK) {
                left.add(cell);
            }
        }
        return left;
    }

    private CellResult train(Cell cell, Map<String, CellResult> results) throws IOException, InterruptedException {
        CellFolder at = CellFolder.of(folder, cell);
        CellEnd before = at.end();
        if (before != null && before.status() == CellStatus.OK && !at.history().isEmpty()) {
            // It was finished when nobody was left to write that down.
            return CellResult.of(cell, before, at.history(), false, Instant.now());
        }
        boolean resume = at.hasCheckpoint();
        at.prepare(cell);
        progress.cell(cell, resume);
        Instant started = Instant.now();
        CellEnd end;
        try {
            end = runner.run(cell, at.path(), resume, progress::line);
        } catch (IOException e) {
            end = CellEnd.without(CellStatus.FAILED, "cannot be started: " + e.getMessage());
        }
        List<EpochMetrics> history = at.history();
        return CellResult.of(cell, checked(end, history), history, resume, started);
    }

    /** A cell that calls itself finished has something to show for it. */
    private static CellEnd checked(CellEnd end, List<EpochMetrics> history) {
        return end.status() == CellStatus.OK && history.isEmpty()
                ? CellEnd.without(CellStatus.FAILED, "its process ended well, but left no metrics")
                : end;
    }

    private Comparison save(Map<String, CellResult> results) throws IOException {
        ResultsFile.in(folder).write(grid.cells(), results);
        Comparison comparison = Comparison.of(folder, grid, Map.copyOf(results));
        ComparisonFiles.write(comparison);
        report.write(comparison);
        return comparison;
    }

    /** By what cells of the same kind took, or all if there are none; negative if nothing is known. */
    private double remainingSeconds(List<Cell> cells, Map<String, CellResult> results) {
        Map<String, CellResult> finished = new LinkedHashMap<>(results);
        finished.values()
                .removeIf(result -> result.status() != CellStatus.OK || result.seconds() == null || result.resumed());
        double sum = 0;
        for (Cell cell : cells) {
            double seconds = CellEstimate.ofFinished(cell, finished.values());
            if (seconds < 0) {
                return -1;
            }
            sum += seconds;
        }
        return sum;
    }
}
