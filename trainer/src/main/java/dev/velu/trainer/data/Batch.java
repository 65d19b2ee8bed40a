package dev.velu.trainer.data;

import java.lang.foreign.MemorySegment;

/**
 * One batch in the ring of a {@link BatchPipeline}. Its memory is written again after {@link #release()}, and freed
 * when the pipeline is closed.
 */
public interface Batch {

    /** uint8 pixels {@code [batchSize, size, size, 3]} (NHWC, red first), off-heap, 64-byte aligned. */
    MemorySegment images();

    /**
     * int32 labels {@code [batchSize]}, off-heap, 64-byte aligned. Rows from {@link #count()} on have label -1 and zero
     * pixels.
     */
    MemorySegment labels();

    /** How many rows hold an image, in {@code [1, batchSize]}; these come first. */
    int count();

    /**
     * Gives the memory back to the decode threads; the batch must not be used afterwards.
     *
     * @throws IllegalStateException if it is not held: released twice
     */
    void release();
}
