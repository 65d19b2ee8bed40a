package dev.velu.trainer.run;

import dev.velu.trainer.data.Batch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Which images the steps under way have, oldest first: batches are released before their results are there. */
final class RowQueue {
    private final int[] counts;
    private final int[][] indices;
    private final int[][] labels;
    private int oldest;
    private int size;

    /**
     * @param capacity most steps that are under way at a time
     * @param batchSize most images of a step
     */
    RowQueue(int capacity, int batchSize) {
        counts = new int[capacity];
        indices = new int[capacity][batchSize];
        labels = new int[capacity][batchSize];
    }

    void add(Batch batch) {
        if (size == counts.length) {
            throw new IllegalStateException(size + " steps are under way, which is all there is room for");
        }
        int slot = (oldest + size) % counts.length;
        counts[slot] = batch.count();
        for (int row = 0; row < batch.count(); row++) {
            indices[slot][row] = batch.index(row);
        }
        MemorySegment.copy(batch.labels(), ValueLayout.JAVA_INT, 0, labels[slot], 0, batch.count());
        size++;
    }

    /** Images of the oldest step. */
    int count() {
        if (size == 0) {
            throw new IllegalStateException("no step is under way");
        }
        return counts[oldest];
    }

    /** Where an image of the oldest step is in the data set. */
    int index(int row) {
        return indices[oldest][row];
    }

    /** The class of an image of the oldest step. */
    int label(int row) {
        return labels[oldest][row];
    }

    void removeOldest() {
        oldest = (oldest + 1) % counts.length;
        size--;
    }
}
