package dev.velu.trainer.compare;

import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * What a cell will take.
 *
 * @param seconds negative if it is unknown
 * @param memoryBytes device memory; null if it is unknown
 * @param source how the time is known
 * @param problem why the cell will fail; null if nothing says so
 */
public record CellEstimate(double seconds, Long memoryBytes, Source source, String problem) {
    /** How the time of a cell is known. */
    public enum Source {
        /** Some steps on random images were timed. */
        MEASURED("measured steps"),
        /** The mean of cells like it that are finished. */
        FINISHED("finished cells"),
        /** The cell itself is finished. */
        DONE("done"),
        /** Nothing is known of such cells. */
        UNKNOWN("unknown");

        private final String label;

        Source(String label) {
            this.label = label;
        }

        /** How it is said in tables. */
        public String label() {
            return label;
        }
    }

    /**
     * The mean time of the finished cells that are most like this one: those with its network, activation and data set, else its network
     * and data set, else its network, else all; negative without any.
     */
    static double ofFinished(Cell cell, Collection<CellResult> finished) {
        Predicate<CellResult> model = result -> result.model().equals(cell.model());
        Predicate<CellResult> data = model.and(result -> result.data().equals(cell.data()));
        Predicate<CellResult> activation =
                data.and(result -> result.activation().equals(cell.activation()));
        return Stream.of(activation, data, model, (Predicate<CellResult>) result -> true)
                .map(alike -> mean(finished.stream().filter(alike).toList()))
                .filter(seconds -> seconds >= 0)
                .findFirst()
                .orElse(-1.0);
    }

    private static double mean(List<CellResult> results) {
        return results.stream()
                .map(CellResult::seconds)
                .filter(Objects::nonNull)
                .mapToDouble(Double::doubleValue)
                .average()
                .orElse(-1);
    }
}
