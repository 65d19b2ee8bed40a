package dev.velu.trainer.data;

import dev.velu.trainer.augment.Augmentation;
import dev.velu.trainer.augment.Augmenter;
import dev.velu.trainer.random.SplitMix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;

/** Turns one image of a data set into one row of a batch. Every decode thread has its own, for its scratch memory. */
final class SampleReader {

    private final Dataset dataset;
    private final Augmenter augmenter;
    private final SplitMix random = SplitMix.of(0, 0, 0);
    private final long seed;
    private final CorruptImagePolicy corruptImages;
    private final SquareCache cache;
    private final Map<Integer, String> corrupt;
    private final SquareResize resize;
    private final byte[] square;

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
        this.seed = seed;
        this.corruptImages = corruptImages;
        this.cache = cache;
        this.corrupt = corrupt;
        resize = new SquareResize(imageSize);
        square = new byte[imageSize * imageSize * 3];
        augmenter = new Augmenter(augmentation, imageSize, meanColor(dataset.normalization()));
    }

    /** What normalization turns to 0, or the nearest there is. */
    private static byte[] meanColor(Normalization normalization) {
        float[] mean = normalization.mean();
        byte[] color = new byte[mean.length];
        for (int c = 0; c < color.length; c++) {
            color[c] = (byte) Math.clamp(Math.round(mean[c] * 255), 0, 255);
        }
        return color;
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
        byte[] image = square;
        if (!augmenter.changesNothing()) {
            random.restart(seed, epoch, index);
            image = augmenter.apply(square, random);
        }
        MemorySegment.copy(image, 0, target, ValueLayout.JAVA_BYTE, offset, image.length);
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
