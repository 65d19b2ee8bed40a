package dev.velu.trainer.data;

import dev.velu.trainer.augment.Augmentation;
import dev.velu.trainer.augment.Mixing;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.LongFunction;

/** Collects the settings of a {@link BatchPipeline}. */
public final class BatchPipelineBuilder {

    /** Most threads that decode. */
    public static final int MAX_DECODE_THREADS = 256;
    /** Most rows of a batch. */
    public static final int MAX_BATCH = 1 << 20;
    /** Largest width and height of the images in a batch, in pixels. */
    public static final int MAX_IMAGE_SIZE = 8192;

    private static final int MAX_RING = 1024;

    final Dataset dataset;
    int batchSize;
    int imageSize;
    Augmentation augmentation = Augmentation.none();
    Mixing mixing = Mixing.none();
    boolean shuffle;
    long seed;
    int decodeThreads = Math.max(1, Runtime.getRuntime().availableProcessors() / 2);
    int ringSize = 4;
    boolean dropLast;
    CorruptImagePolicy corruptImages = CorruptImagePolicy.FAIL;
    long cacheBytes = 512L << 20;
    /** Null for memory of the pipeline's own. */
    LongFunction<MemorySegment> allocate;

    Consumer<MemorySegment> free;

    BatchPipelineBuilder(Dataset dataset) {
        this.dataset = Objects.requireNonNull(dataset, "dataset");
    }

    /** Rows per batch, 1 to 1048576. */
    public BatchPipelineBuilder batchSize(int rows) {
        batchSize = inRange("batch size", rows, MAX_BATCH);
        return this;
    }

    /** Width and height of the images in a batch in pixels, 1 to 8192. */
    public BatchPipelineBuilder imageSize(int pixels) {
        imageSize = inRange("image size", pixels, MAX_IMAGE_SIZE);
        return this;
    }

    /** Random changes; none unless set. */
    public BatchPipelineBuilder augmentation(Augmentation changes) {
        augmentation = Objects.requireNonNull(changes, "augmentation");
        return this;
    }

    /** How the images of a batch are mixed with each other; not at all unless set. */
    public BatchPipelineBuilder mixing(Mixing within) {
        mixing = Objects.requireNonNull(within, "mixing");
        return this;
    }

    /** Whether each epoch has an order of its own; otherwise, and unless set, that of the data set. */
    public BatchPipelineBuilder shuffle(boolean each) {
        shuffle = each;
        return this;
    }

    /** Chooses order, augmentation and mixing; 0 unless set. */
    public BatchPipelineBuilder seed(long value) {
        seed = value;
        return this;
    }

    /** Threads that decode, 1 to 256; half of the processors unless set. */
    public BatchPipelineBuilder decodeThreads(int threads) {
        decodeThreads = inRange("number of decode threads", threads, MAX_DECODE_THREADS);
        return this;
    }

    /** Batches in memory, 1 to 1024: more than are held at once; 4 unless set. */
    public BatchPipelineBuilder ringSize(int batches) {
        ringSize = inRange("ring size", batches, MAX_RING);
        return this;
    }

    /** Whether images that do not fill a last batch are left out of the epoch; unless set, they are not. */
    public BatchPipelineBuilder dropLast(boolean drop) {
        dropLast = drop;
        return this;
    }

    /** What to do with images that cannot be decoded; to fail unless set. */
    public BatchPipelineBuilder corruptImages(CorruptImagePolicy policy) {
        corruptImages = Objects.requireNonNull(policy, "policy");
        return this;
    }

    /** Decoded images are kept in memory if all need at most this many bytes; 512 MiB unless set, 0 for never. */
    public BatchPipelineBuilder cacheBytes(long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException("cache of " + bytes + " bytes is negative");
        }
        cacheBytes = bytes;
        return this;
    }

    /**
     * Where the memory of the batches comes from, e.g. page-locked memory of a context; unless set, the pipeline has its own.
     *
     * @param allocate gives as many bytes of native memory as asked for, aligned to 64, that any thread may use
     * @param free is called once for each when the pipeline is closed
     */
    public BatchPipelineBuilder memory(LongFunction<MemorySegment> allocate, Consumer<MemorySegment> free) {
        this.allocate = Objects.requireNonNull(allocate, "allocate");
        this.free = Objects.requireNonNull(free, "free");
        return this;
    }

    /**
     * Lays out the memory and starts the threads.
     *
     * @throws IllegalArgumentException if batch size or image size was not set
     * @throws DataException if the data set has less than one batch and the last is dropped, or memory is short
     */
    public BatchPipeline build() {
        inRange("batch size", batchSize, MAX_BATCH);
        inRange("image size", imageSize, MAX_IMAGE_SIZE);
        return new BatchPipeline(this);
    }

    private static int inRange(String name, int value, int max) {
        if (value < 1 || value > max) {
            throw new IllegalArgumentException(name + " " + value + " is outside 1.." + max);
        }
        return value;
    }
}
