package dev.velu.trainer.compare;

import dev.velu.trainer.run.EpochMetrics;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Comparator;
import java.util.List;

/**
 * A line of {@code results.jsonl}.
 *
 * @param cell id of the cell
 * @param error one line; null unless it failed
 * @param epochs finished
 * @param best metrics of the epoch with the highest evaluation top-1, the first of equals; null before the first epoch
 * @param last metrics of the last epoch; null before the first
 * @param seconds sum over the epochs, training and evaluation; null before the first. What a step took that was cut off and done again
 *     is not in it
 * @param imagesPerSecond training images per second, mean over the epochs; null before the first
 * @param plannedMemoryBytes device memory laid out
 * @param peakMemoryBytes largest resident set of the cell's process, the JVM included
 * @param parameters trainable values of the network without those of the activations
 * @param resumed whether more than one process worked on it, so that its time and memory are not comparable
 * @param configHash {@link Cell#configHash}
 * @param started when its last process began, in UTC
 */
public record CellResult(
        String cell,
        String model,
        String activation,
        String data,
        long seed,
        CellStatus status,
        String error,
        int epochs,
        EpochMetrics best,
        EpochMetrics last,
        Double seconds,
        Double imagesPerSecond,
        Long plannedMemoryBytes,
        Long peakMemoryBytes,
        Long parameters,
        boolean resumed,
        String configHash,
        String started) {

    static CellResult of(Cell cell, CellEnd end, List<EpochMetrics> history, boolean resumed, Instant started) {
        // The first of equals, like the checkpoint that is kept.
        EpochMetrics best = history.stream()
                .max(Comparator.comparingDouble(EpochMetrics::evalTop1)
                        .thenComparing(
                                Comparator.comparingInt(EpochMetrics::epoch).reversed()))
                .orElse(null);
        boolean none = history.isEmpty();
        return new CellResult(
                cell.id(),
                cell.model(),
                cell.activation(),
                cell.data(),
                cell.seed(),
                end.status(),
                end.error(),
                history.size(),
                best,
                none ? null : history.getLast(),
                none
                        ? null
                        : history.stream().mapToDouble(EpochMetrics::seconds).sum(),
                none
                        ? null
                        : history.stream()
                                .mapToDouble(EpochMetrics::imagesPerSecond)
                                .average()
                                .orElseThrow(),
                end.plannedMemoryBytes(),
                end.peakMemoryBytes(),
                end.parameters(),
                resumed,
                cell.configHash(),
                started.truncatedTo(ChronoUnit.SECONDS).toString());
    }
}
