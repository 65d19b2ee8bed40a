package dev.velu.trainer.compare;

import java.util.List;

/**
 * A line of the table: one network on one data set.
 *
 * @param groups one per activation, in the order of {@link ComparisonSummary#activations}
 */
public record SummaryRow(String model, String data, List<CellGroup> groups) {
    /** Whether every activation has a value. */
    boolean complete() {
        return groups.stream().allMatch(group -> group.mean() != null);
    }
}
