package dev.velu.trainer.compare;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.velu.trainer.run.EpochMetrics;
import dev.velu.trainer.run.RunException;
import dev.velu.trainer.run.TrainingRun;
import dev.velu.trainer.run.WholeFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The folder of a cell: that of its training run, with {@code outcome.json} and the log of its process beside.
 *
 * @param path {@code OUTPUT/cells/ID}
 */
public record CellFolder(Path path) {
    static final String CELLS = "cells";
    /** What the cell's processes wrote on their standard output and standard error. */
    static final String LOG = "log.txt";

    /** How the names of the JVM's reports of crashes begin. */
    static final String CRASH = "crash-";

    private static final String CONFIG = "config.json";
    private static final String METRICS = "metrics.jsonl";

    static CellFolder of(Path comparison, Cell cell) {
        return new CellFolder(comparison.resolve(CELLS).resolve(cell.id()));
    }

    /** Makes it ready for a process: it is there, has the configuration, and says nothing of an end. */
    void prepare(Cell cell) throws IOException {
        Files.createDirectories(path);
        Files.deleteIfExists(path.resolve(CellEnd.FILE));
        WholeFile.write(path.resolve(CONFIG), cell.configuration().toJson() + "\n");
    }

    boolean hasCheckpoint() {
        return Files.exists(path.resolve(TrainingRun.LAST));
    }

    /** Removes what an attempt without a checkpoint left, which is not a run to keep; what its processes said stays. */
    public void clear() throws IOException {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(path, Files::isRegularFile)) {
            for (Path file : files) {
                String name = file.getFileName().toString();
                if (!name.equals(LOG) && !name.equals(OutputLock.NAME) && !name.startsWith(CRASH)) {
                    Files.delete(file);
                }
            }
        }
    }

    /** How the last process ended; null if it was killed, or there was none. */
    CellEnd end() {
        Path file = path.resolve(CellEnd.FILE);
        try {
            return Files.exists(file) ? ComparisonJson.MAPPER.readValue(Files.readAllBytes(file), CellEnd.class) : null;
        } catch (IOException e) {
            // As if it had been killed: the run's own files say where to go on.
            return null;
        }
    }

    /** Says how the process ended, at its very end. */
    public void writeEnd(CellEnd end) throws IOException {
        WholeFile.write(path.resolve(CellEnd.FILE), ComparisonJson.MAPPER.writeValueAsString(end) + "\n");
    }

    /**
     * The metrics of the epochs so far.
     *
     * @throws RunException if the file is damaged
     */
    List<EpochMetrics> history() throws IOException {
        Path file = path.resolve(METRICS);
        List<EpochMetrics> history = new ArrayList<>();
        if (Files.exists(file)) {
            for (String line : Files.readAllLines(file, StandardCharsets.UTF_8)) {
                try {
                    history.add(ComparisonJson.MAPPER.readValue(line, EpochMetrics.class));
                } catch (JsonProcessingException e) {
                    throw new RunException(
                            file + ", line " + (history.size() + 1) + " is damaged; remove the folder " + path
                                    + " to train the cell again",
                            e);
                }
            }
        }
        return history;
    }
}
