package dev.velu.trainer.data;

/** Is told what the decode threads of a {@link BatchPipeline} do, by the threads themselves. */
@FunctionalInterface
public interface DecodeListener {
    /**
     * The calling thread has decoded some images of a batch.
     *
     * @param batch number in its epoch, from 0
     * @param begin in nanoseconds of {@link System#nanoTime}
     * @param end in nanoseconds of {@link System#nanoTime}
     */
    void decoded(int epoch, int batch, int images, long begin, long end);
}
