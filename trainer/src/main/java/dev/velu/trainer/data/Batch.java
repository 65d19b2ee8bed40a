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

    /**
     * int32 labels {@code [batchSize]} of the images that were mixed in, off-heap, 64-byte aligned; -1 in the rows from {@link
     * #count()} on. Empty where the pipeline does not mix.
     */
    MemorySegment otherLabels();

    /**
     * float32 {@code [batchSize]}, off-heap, 64-byte aligned: the share of the row's own label in [0, 1], the rest being that of
     * {@link #otherLabels}. Empty where the pipeline does not mix.
     */
    MemorySegment shares();

    /** How many rows hold an image, in {@code [1, batchSize]}; these come first. */
    int count();

    /**
     * Which image of the data set a row holds, by its index there.
     *
     * @param row in {@code [0, count())}
     * @throws IndexOutOfBoundsException if the row holds none
     */
    int index(int row);

    /**
     * Gives the memory back to the decode threads; the batch must not be used afterwards.
     *
     * @throws IllegalStateException if it is not held: released twice
     */
    void release();
}
