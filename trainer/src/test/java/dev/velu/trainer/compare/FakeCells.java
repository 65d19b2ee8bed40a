package dev.velu.trainer.compare;

import dev.velu.trainer.run.EpochMetrics;
import dev.velu.trainer.run.TrainingRun;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Cells that are trained in no time: a line of metrics per epoch, with a top-1 that the test says. */
final class FakeCells implements CellRunner {
    private final Map<String, Double> top1 = new HashMap<>();
    /** What goes wrong with cells, by their ids: thrown instead of trained. */
    final Map<String, RuntimeException> crashes = new HashMap<>();
    /** Errors of cells that fail, by their ids. */
    final Map<String, String> failures = new HashMap<>();
    /** Ids in the order in which they ran, with {@code +} behind those that were resumed. */
    final List<String> ran = new ArrayList<>();
    /** Called in the middle of every cell. */
    Runnable during = () -> {};

    private volatile boolean stopped;

    FakeCells give(String cell, double value) {
        top1.put(cell, value);
        return this;
    }

    @Override
    public CellEnd run(Cell cell, Path folder, boolean resume, Consumer<String> lines) throws IOException {
        ran.add(cell.id() + (resume ? "+" : ""));
        if (failures.containsKey(cell.id())) {
            return CellEnd.without(CellStatus.FAILED, failures.get(cell.id()));
        }
        int epochs = cell.configuration().epochs();
        StringBuilder metrics = new StringBuilder();
        for (int epoch = 1; epoch <= epochs; epoch++) {
            double value = top1.getOrDefault(cell.id(), 0.5) * epoch / epochs;
            metrics.append(ComparisonJson.MAPPER.writeValueAsString(metrics(epoch, value)))
                    .append('\n');
            Files.writeString(folder.resolve("metrics.jsonl"), metrics);
            Files.writeString(folder.resolve(TrainingRun.LAST), "");
            during.run();
            if (crashes.containsKey(cell.id())) {
                throw crashes.get(cell.id());
            }
            if (stopped && epoch < epochs) {
                return CellEnd.without(CellStatus.INTERRUPTED, null);
            }
        }
        CellEnd end = new CellEnd(CellStatus.OK, null, 1L << 20, 3L << 20, 1000L);
        new CellFolder(folder).writeEnd(end);
        return end;
    }

    /** With settled times: 2 s and 100 images/s. */
    static EpochMetrics metrics(int epoch, double evalTop1) {
        try {
            return ComparisonJson.MAPPER.readValue(
                    "{\"epoch\": " + epoch + ", \"eval_top1\": " + evalTop1
                            + ", \"eval_loss\": 1, \"images_per_second\": 100, \"seconds\": 2}",
                    EpochMetrics.class);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void stop() {
        stopped = true;
    }
}
