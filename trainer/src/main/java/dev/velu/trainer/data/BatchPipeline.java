package dev.velu.trainer.data;

import dev.velu.trainer.augment.Augmentation;
import dev.velu.trainer.augment.BatchMix;
import dev.velu.trainer.augment.Mixing;
import dev.velu.trainer.random.SplitMix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.LongFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decodes a data set in a pool of threads into a ring of off-heap batches.
 *
 * <p>Every image is resized so that its shorter side has {@code imageSize} pixels, cut to its centre square
 * ({@link DecodedImage#toSquare}), and augmented; the images of a complete batch may then be mixed. Order and augmentation
 * depend only on (seed, epoch, sample index), mixing on (seed, epoch, batch), so the batches of an epoch are the same for any number of threads, and an epoch started at batch {@code k} yields what
 * would have followed there.
 *
 * <p>Memory is laid out once: {@code ringSize} batches, and, for a data set small enough, its decoded images. Decoding
 * waits while the ring is full. {@link #startEpoch} and {@link #next} are meant for one thread at a time;
 * {@link Batch#release} and {@link #close} may be called from others. The data set is not closed with the pipeline, and
 * must stay open until the pipeline is closed.
 *
 * <p>With {@link CorruptImagePolicy#SKIP}, an image that cannot be decoded is left out: a pipeline that drops the last
 * incomplete batch keeps its batches full by taking another image of the epoch in its place, any other pipeline yields
 * batches with fewer rows (and passes over one that has none left).
 */
public final class BatchPipeline implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(BatchPipeline.class);

    /** Images per unit of work: small enough that all threads share the first batch of an epoch. */
    private static final int CHUNK = 8;

    private static final int ALIGNMENT = 64;
    private static final int MAX_DESCRIPTIONS = 20;

    /** The stream of an epoch's order; those of its images have their index here. */
    private static final long ORDER_STREAM = -1;
    /** The stream of the mixing of an epoch's first batch; those of the next ones have the numbers below. */
    private static final long MIX_STREAM = -2;

    private final Dataset dataset;
    private final int batchSize;
    private final int imageSize;
    private final int imageBytes;
    private final Augmentation augmentation;
    private final Mixing mixing;
    private final boolean shuffle;
    private final long seed;
    private final boolean dropLast;
    private final CorruptImagePolicy corruptImages;
    private final int batchesPerEpoch;

    private final Arena arena = Arena.ofShared();
    private final RingBatch[] ring;
    /** Frees what the arena does not. */
    private final Consumer<MemorySegment> freeMemory;

    private final SquareCache cache;
    private final List<Thread> threads = new ArrayList<>();

    /** Why an image cannot be decoded, by its index, for those found so far (policy SKIP). */
    private final Map<Integer, String> corrupt = new ConcurrentHashMap<>();

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition workAvailable = lock.newCondition();
    private final Condition batchReady = lock.newCondition();
    private final Condition workersIdle = lock.newCondition();

    /** Written under the lock; read without it between two images. */
    private volatile boolean closed;

    private volatile DecodeListener decodeListener;

    // All below is guarded by the lock. Workers read order and epoch without it while they are counted in busyWorkers:
    // neither changes until that is 0.
    private final ArrayDeque<RingBatch> free = new ArrayDeque<>();
    private final ArrayDeque<RingBatch> inFlight = new ArrayDeque<>();
    private final int[] order;
    private final BitSet skipped = new BitSet();
    private final List<String> skippedDescriptions = new ArrayList<>();
    private RingBatch filling;
    private int epoch = -1;
    private int nextBatch;
    private int busyWorkers;
    private boolean paused = true;
    private boolean yieldedAny;
    private long waitNanos;

    BatchPipeline(BatchPipelineBuilder builder) {
        dataset = builder.dataset;
        batchSize = builder.batchSize;
        imageSize = builder.imageSize;
        imageBytes = Math.multiplyExact(Math.multiplyExact(imageSize, imageSize), 3);
        augmentation = builder.augmentation;
        mixing = builder.mixing;
        shuffle = builder.shuffle;
        seed = builder.seed;
        dropLast = builder.dropLast;
        corruptImages = builder.corruptImages;
        int size = dataset.size();
        batchesPerEpoch = dropLast ? size / batchSize : Math.ceilDiv(size, batchSize);
        if (batchesPerEpoch == 0) {
            throw new DataException("batch size " + batchSize + " exceeds the " + size + " " + dataset.split()
                    + " images of " + dataset.name() + "; choose a batch size of at most " + size);
        }
        order = new int[size];
        ring = new RingBatch[builder.ringSize];
        freeMemory = builder.free != null ? builder.free : memory -> {};
        LongFunction<MemorySegment> allocate =
                builder.allocate != null ? builder.allocate : bytes -> arena.allocate(bytes, ALIGNMENT);
        try {
            for (int i = 0; i < ring.length; i++) {
                ring[i] = new RingBatch(allocate);
                free.add(ring[i]);
            }
            cache = SquareCache.of(arena, size, imageBytes, builder.cacheBytes);
            for (int i = 0; i < builder.decodeThreads; i++) {
                threads.add(
                        Thread.ofPlatform().daemon().name("velu-decode-" + i).start(this::work));
            }
        } catch (RuntimeException e) {
            close();
            throw e;
        } catch (OutOfMemoryError e) {
            close();
            throw new DataException(
                    "no memory for " + ring.length + " batches of " + batchSize + " images of "
                            + imageSize + " x " + imageSize + " and " + builder.decodeThreads
                            + " threads; choose a smaller batch size or image size",
                    e);
        }
    }

    /** A pipeline over {@code dataset}; batch size and image size have to be set. */
    public static BatchPipelineBuilder builder(Dataset dataset) {
        return new BatchPipelineBuilder(dataset);
    }

    /**
     * Starts an epoch, or starts it again; batches that are ready but not taken are dropped, batches that are held stay
     * held.
     *
     * @param epoch number of the epoch, from 0: chooses order and augmentation
     * @param firstBatch the first batch to yield, in {@code [0, batchesPerEpoch()]}
     * @throws IllegalArgumentException if an argument is out of range
     * @throws IllegalStateException if the pipeline is closed
     */
    public void startEpoch(int epoch, int firstBatch) {
        if (epoch < 0) {
            throw new IllegalArgumentException("epoch " + epoch + " is negative");
        }
        if (firstBatch < 0 || firstBatch > batchesPerEpoch) {
            throw new IllegalArgumentException(
                    "first batch " + firstBatch + " is outside 0.." + batchesPerEpoch + ", the batches of an epoch");
        }
        lock.lock();
        try {
            requireOpen();
            paused = true;
            while (busyWorkers > 0) {
                workersIdle.awaitUninterruptibly();
                requireOpen();
            }
            free.addAll(inFlight);
            inFlight.clear();
            filling = null;
            this.epoch = epoch;
            if (shuffle) {
                SplitMix.of(seed, epoch, ORDER_STREAM).permutation(order);
            } else {
                Arrays.setAll(order, i -> i);
            }
            nextBatch = firstBatch;
            yieldedAny = firstBatch > 0;
            waitNanos = 0;
            paused = false;
            workAvailable.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /**
     * The next batch of the epoch, in order; waits until it is decoded. The caller must release it.
     *
     * @return null at the end of the epoch
     * @throws CorruptImageException if an image of this batch cannot be decoded (policy FAIL): the first one in it,
     *     whatever the threads met first; thrown again by every call until an epoch is started
     * @throws DataException if not one image of the epoch can be decoded (policy SKIP)
     * @throws IllegalStateException if no epoch was started, the pipeline is closed, or the whole ring is held
     */
    public Batch next() throws CorruptImageException, InterruptedException {
        lock.lockInterruptibly();
        try {
            if (epoch < 0) {
                throw new IllegalStateException("no epoch was started; call startEpoch first");
            }
            while (true) {
                RingBatch batch = awaitReady();
                if (batch == null) {
                    return endOfEpoch();
                }
                batch.rethrowFailure();
                inFlight.removeFirst();
                batch.reportSkipped();
                if (batch.count > 0) {
                    batch.held = true;
                    yieldedAny = true;
                    return batch;
                }
                recycle(batch);
            }
        } finally {
            lock.unlock();
        }
    }

    /** The first batch in flight once it is complete, or null at the end of the epoch. */
    private RingBatch awaitReady() throws InterruptedException {
        while (true) {
            requireOpen();
            RingBatch first = inFlight.peekFirst();
            if (first != null && first.ready) {
                return first;
            }
            if (first == null && nextBatch >= batchesPerEpoch) {
                return null;
            }
            if (first == null && free.isEmpty()) {
                throw new IllegalStateException(
                        "all " + ring.length + " batches of the ring are held; release one before taking the next");
            }
            long start = System.nanoTime();
            try {
                batchReady.await();
            } finally {
                waitNanos += System.nanoTime() - start;
            }
        }
    }

    private Batch endOfEpoch() {
        if (!yieldedAny) {
            throw noneReadable();
        }
        return null;
    }

    private DataException noneReadable() {
        return new DataException("not one of the " + dataset.size() + " " + dataset.split() + " images of "
                + dataset.name() + " can be decoded; check the files, or do not skip corrupt images to see the first");
    }

    private void recycle(RingBatch batch) {
        free.addLast(batch);
        workAvailable.signalAll();
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the pipeline is closed");
        }
    }

    /**
     * Lets every decode thread tell when it decoded what, or none for null. The listener is called by several threads at
     * once.
     */
    public void decodeListener(DecodeListener listener) {
        decodeListener = listener;
    }

    /** How many batches an epoch has, incomplete ones included where they are not dropped. */
    public int batchesPerEpoch() {
        return batchesPerEpoch;
    }

    /** How long {@link #next()} has waited for decoding since the epoch was started, in nanoseconds. */
    public long waitNanos() {
        lock.lock();
        try {
            return waitNanos;
        } finally {
            lock.unlock();
        }
    }

    /** How many different images were skipped as corrupt since construction, in the batches yielded so far. */
    public long skippedImages() {
        lock.lock();
        try {
            return skipped.cardinality();
        } finally {
            lock.unlock();
        }
    }

    /** What is wrong with the first 20 of the skipped images, in the order in which they came up. */
    public List<String> skippedDescriptions() {
        lock.lock();
        try {
            return List.copyOf(skippedDescriptions);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Ends the threads, each after the image it is decoding, and frees all batches, also those that are held. Closing
     * twice is harmless. No native call may be using a batch meanwhile.
     */
    @Override
    public void close() {
        lock.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            workAvailable.signalAll();
            batchReady.signalAll();
            workersIdle.signalAll();
        } finally {
            lock.unlock();
        }
        boolean interrupted = false;
        for (Thread thread : threads) {
            interrupted |= joinUninterruptibly(thread);
        }
        for (RingBatch batch : ring) {
            if (batch != null) {
                freeMemory.accept(batch.memory);
            }
        }
        arena.close();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Memory may only be freed after the last thread that writes to it, even if we are told to hurry. */
    private static boolean joinUninterruptibly(Thread thread) {
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                return interrupted;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
    }

    /** The life of a decode thread: take a chunk of a batch, fill it, complete the batch if it was the last chunk. */
    private void work() {
        SampleReader reader = new SampleReader(dataset, imageSize, augmentation, seed, corruptImages, cache, corrupt);
        lock.lock();
        try {
            while (true) {
                RingBatch batch = takeWork();
                if (batch == null) {
                    return;
                }
                int chunk = batch.nextChunk++;
                busyWorkers++;
                boolean complete;
                lock.unlock();
                try {
                    fill(batch, chunk, reader);
                } finally {
                    complete = batch.chunkDone();
                    lock.lock();
                    busyWorkers--;
                }
                if (complete) {
                    batch.ready = true;
                    batchReady.signalAll();
                }
                if (busyWorkers == 0) {
                    workersIdle.signalAll();
                }
            }
        } finally {
            lock.unlock();
        }
    }

    private void fill(RingBatch batch, int chunk, SampleReader reader) {
        DecodeListener listener = decodeListener;
        if (listener == null) {
            batch.fill(chunk, reader);
            return;
        }
        long begin = System.nanoTime();
        batch.fill(chunk, reader);
        int images = Math.min(CHUNK, batch.rows - chunk * CHUNK);
        listener.decoded(epoch, batch.firstPosition / batchSize, images, begin, System.nanoTime());
    }

    /** Waits for a batch with chunks left to fill; null when the pipeline is closed. */
    private RingBatch takeWork() {
        while (!closed) {
            if (!paused) {
                if (filling == null && nextBatch < batchesPerEpoch && !free.isEmpty()) {
                    filling = free.removeFirst();
                    filling.assign(nextBatch++);
                    inFlight.addLast(filling);
                    workAvailable.signalAll();
                }
                if (filling != null) {
                    RingBatch batch = filling;
                    if (batch.nextChunk == batch.chunks - 1) {
                        filling = null;
                    }
                    return batch;
                }
            }
            workAvailable.awaitUninterruptibly();
        }
        return null;
    }

    /** One slot of the ring. */
    private final class RingBatch implements Batch {

        private final MemorySegment memory;
        private final MemorySegment images;
        private final MemorySegment labels;
        private final MemorySegment otherLabels;
        private final MemorySegment shares;
        /** Null where nothing is mixed. */
        private final BatchMix mix;

        /** Per row, its label, or -1 where it holds no image. */
        private final int[] rowLabels = new int[batchSize];

        /** Per row, the index of the image that it holds. */
        private final int[] rowIndex = new int[batchSize];

        /** Per row, the index of the corrupt image that belongs there, or -1. */
        private final int[] rowCorrupt = new int[batchSize];

        private final AtomicInteger chunksLeft = new AtomicInteger();
        private int firstPosition;
        private int rows;
        private int chunks;
        private int count;

        // Guarded by the lock.
        private int nextChunk;
        private boolean ready;
        private boolean held;

        // Guarded by this batch.
        private Throwable failure;
        private int failureRow;

        private RingBatch(LongFunction<MemorySegment> allocate) {
            long imagesEnd = (long) batchSize * imageBytes;
            long labelsStart = aligned(imagesEnd);
            long labelBytes = (long) batchSize * Integer.BYTES;
            long othersStart = aligned(labelsStart + labelBytes);
            long sharesStart = aligned(othersStart + labelBytes);
            boolean mixes = !mixing.isNone();
            memory = allocate.apply((mixes ? sharesStart : labelsStart) + labelBytes);
            images = memory.asSlice(0, imagesEnd);
            labels = memory.asSlice(labelsStart, labelBytes);
            otherLabels = mixes ? memory.asSlice(othersStart, labelBytes) : MemorySegment.NULL;
            shares = mixes ? memory.asSlice(sharesStart, labelBytes) : MemorySegment.NULL;
            mix = mixes ? new BatchMix(mixing, imageSize) : null;
        }

        private static long aligned(long bytes) {
            return Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT;
        }

        private void assign(int batchIndex) {
            firstPosition = batchIndex * batchSize;
            rows = Math.min(batchSize, order.length - firstPosition);
            chunks = Math.ceilDiv(rows, CHUNK);
            chunksLeft.set(chunks);
            nextChunk = 0;
            ready = false;
            failure = null;
        }

        private void fill(int chunk, SampleReader reader) {
            int row = chunk * CHUNK;
            int end = Math.min(row + CHUNK, rows);
            try {
                while (row < end && !closed) {
                    rowCorrupt[row] = -1;
                    fillRow(row, reader);
                    row++;
                }
            } catch (Throwable e) {
                // Whatever it is, the thread that waits for this batch has to know; this thread lives on.
                fail(row, e);
            }
        }

        private void fillRow(int row, SampleReader reader) throws CorruptImageException {
            int position = firstPosition + row;
            int index = order[position];
            long offset = (long) row * imageBytes;
            if (reader.read(epoch, index, images, offset)) {
                rowIndex[row] = index;
                rowLabels[row] = dataset.label(index);
                return;
            }
            rowCorrupt[row] = index;
            rowLabels[row] = -1;
            if (!dropLast) {
                return;
            }
            // Another image of the epoch, from its other half so that it is seldom in the same batch.
            for (int i = 0; i < order.length; i++) {
                int substitute = order[(int) (((long) position + order.length / 2 + i) % order.length)];
                if (reader.read(epoch, substitute, images, offset)) {
                    rowIndex[row] = substitute;
                    rowLabels[row] = dataset.label(substitute);
                    return;
                }
            }
            throw noneReadable();
        }

        private synchronized void fail(int row, Throwable e) {
            if (failure == null || row < failureRow) {
                failure = e;
                failureRow = row;
            }
        }

        /** True for the last chunk, after the batch was put in its final form. */
        private boolean chunkDone() {
            if (chunksLeft.decrementAndGet() > 0) {
                return false;
            }
            complete();
            return true;
        }

        /** Moves the rows that hold an image to the front, clears the others, writes the labels. */
        private synchronized void complete() {
            count = 0;
            if (failure != null) {
                return;
            }
            for (int row = 0; row < rows; row++) {
                if (rowLabels[row] < 0) {
                    continue;
                }
                if (count < row) {
                    MemorySegment.copy(images, (long) row * imageBytes, images, (long) count * imageBytes, imageBytes);
                }
                labels.setAtIndex(ValueLayout.JAVA_INT, count, rowLabels[row]);
                rowIndex[count] = rowIndex[row];
                count++;
            }
            images.asSlice((long) count * imageBytes).fill((byte) 0);
            for (int row = count; row < batchSize; row++) {
                labels.setAtIndex(ValueLayout.JAVA_INT, row, -1);
            }
            if (mix != null) {
                SplitMix random = SplitMix.of(seed, epoch, MIX_STREAM - firstPosition / batchSize);
                mix.apply(images, labels, count, otherLabels, shares, random);
            }
        }

        private synchronized void rethrowFailure() throws CorruptImageException {
            switch (failure) {
                case null -> {}
                case CorruptImageException e -> throw e;
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                default -> throw new IllegalStateException("a decode thread failed: " + failure, failure);
            }
        }

        /** Counts what is missing from this batch; called in the order of batches, so the same in every run. */
        private void reportSkipped() {
            for (int row = 0; row < rows; row++) {
                int index = rowCorrupt[row];
                if (index < 0 || skipped.get(index)) {
                    continue;
                }
                skipped.set(index);
                String description = corrupt.get(index);
                if (skippedDescriptions.size() < MAX_DESCRIPTIONS) {
                    skippedDescriptions.add(description);
                    LOG.warn("skipped: {}", description);
                }
            }
        }

        @Override
        public MemorySegment images() {
            return images;
        }

        @Override
        public MemorySegment labels() {
            return labels;
        }

        @Override
        public MemorySegment otherLabels() {
            return otherLabels;
        }

        @Override
        public MemorySegment shares() {
            return shares;
        }

        @Override
        public int count() {
            return count;
        }

        @Override
        public int index(int row) {
            return rowIndex[Objects.checkIndex(row, count)];
        }

        @Override
        public void release() {
            lock.lock();
            try {
                if (closed) {
                    return;
                }
                if (!held) {
                    throw new IllegalStateException("this batch is not held; it was released already");
                }
                held = false;
                recycle(this);
            } finally {
                lock.unlock();
            }
        }
    }
}
