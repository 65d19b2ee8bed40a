package dev.velu.trainer.data;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;

/** Turns one image of a data set into one row of a batch. Every decode thread has its own, for its scratch memory. */
final class SampleReader {

    private final Dataset dataset;
    private final int imageSize;
    private final Augmentation augmentation;
    private final long seed;
    private final CorruptImagePolicy corruptImages;
    private final SquareCache cache;
    private final Map<Integer, String> corrupt;
    private final SquareResize resize;
    private final byte[] square;
    private final byte[] augmented;

    /**
     * @param cache shared by all threads
     * @param corrupt shared by all threads: why an image cannot be decoded, by its index, for those found so far
     */
    SampleReader(
            Dataset dataset,
            int imageSize,
            Augmentation augmentation,
            long seed,
            CorruptImagePolicy corruptImages,
            SquareCache cache,
            Map<Integer, String> corrupt) {
        this.dataset = dataset;
        this.imageSize = imageSize;
        this.augmentation = augmentation;
        this.seed = seed;
        this.corruptImages = corruptImages;
        this.cache = cache;
        this.corrupt = corrupt;
        resize = new SquareResize(imageSize);
        square = new byte[imageSize * imageSize * 3];
        augmented = augmentation.changesNothing() ? square : new byte[square.length];
    }

    /**
     * Writes image {@code index} as {@code epoch} shows it.
     *
     * @param target receives uint8 {@code [imageSize, imageSize, 3]} at byte {@code offset}
     * @return false if the image is corrupt and to be skipped; nothing is written then
     * @throws CorruptImageException if it is corrupt and not to be skipped
     */
    boolean read(int epoch, int index, MemorySegment target, long offset) throws CorruptImageException {
        if (!cache.get(index, square) && !decode(index)) {
            return false;
        }
        if (!augmentation.changesNothing()) {
            augmentation.apply(square, augmented, imageSize, SplitMix.of(seed, epoch, index));
        }
        MemorySegment.copy(augmented, 0, target, ValueLayout.JAVA_BYTE, offset, augmented.length);
        return true;
    }

    private boolean decode(int index) throws CorruptImageException {
        if (corrupt.containsKey(index)) {
            return false;
        }
        try {
            resize.apply(dataset.image(index), square);
        } catch (CorruptImageException e) {
            if (corruptImages == CorruptImagePolicy.FAIL) {
                throw e;
            }
            corrupt.put(index, QuotedName.of(e.file()) + ": " + QuotedName.printable(e.reason()));
            return false;
        }
        cache.put(index, square);
        return true;
    }
}
