package dev.velu.trainer.compare;

/**
 * How a cell's process ended; {@code outcome.json} in the cell's folder, written by the process itself.
 *
 * @param error one line; null unless it failed
 * @param plannedMemoryBytes device memory that the run laid out; null if it did not come so far
 * @param peakMemoryBytes largest resident set of its process; null where the system does not tell
 * @param parameters trainable values of the network without those of the activations; null as above
 */
public record CellEnd(CellStatus status, String error, Long plannedMemoryBytes, Long peakMemoryBytes, Long parameters) {
    /** File of the outcome in the folder of a cell. */
    public static final String FILE = "outcome.json";

    /** The end of a cell that did not say more. */
    static CellEnd without(CellStatus status, String error) {
        return new CellEnd(status, error, null, null, null);
    }
}
