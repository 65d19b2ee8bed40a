package dev.velu.trainer.run;

/** How many images each step under way has, oldest first. Allocates nothing once made. */
final class CountQueue {
    private final int[] counts;
    private int oldest;
    private int size;

    /** @param capacity most steps that are under way at a time */
    CountQueue(int capacity) {
        counts = new int[capacity];
    }

    void add(int count) {
        if (size == counts.length) {
            throw new IllegalStateException(size + " steps are under way, which is all there is room for");
        }
        counts[(oldest + size) % counts.length] = count;
        size++;
    }

    int removeOldest() {
        if (size == 0) {
            throw new IllegalStateException("no step is under way");
        }
        int count = counts[oldest];
        oldest = (oldest + 1) % counts.length;
        size--;
        return count;
    }
}
