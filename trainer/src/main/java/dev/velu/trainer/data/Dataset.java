package dev.velu.trainer.data;

import java.util.List;

/**
 * One split of an image classification data set: {@link #size()} labelled images, decoded one at a time.
 *
 * <p>All methods may be called from several threads at once. After {@link #close()} the images can no longer be read.
 */
public interface Dataset extends AutoCloseable {

    /** The specification that opened it: {@code mnist}, {@code shapes}, {@code folder:/x} or {@code zip:/x.zip}. */
    String name();

    /** {@code train} or {@code eval}. */
    String split();

    /** The number of images, at least 1. */
    int size();

    /** The names of the classes; a label is a position in this list. */
    List<String> classNames();

    /** Mean and standard deviation per channel with which the images are to be normalized. */
    Normalization normalization();

    /** Whether an image flipped left to right is still of its class (false for digits). */
    boolean horizontalFlip();

    /**
     * The class of an image, in {@code [0, classNames().size())}.
     *
     * @throws IndexOutOfBoundsException if {@code index} is outside {@code [0, size())}
     */
    int label(int index);

    /**
     * Decodes one image at its own size.
     *
     * @throws CorruptImageException if the image cannot be read or decoded
     * @throws IndexOutOfBoundsException if {@code index} is outside {@code [0, size())}
     */
    DecodedImage image(int index) throws CorruptImageException;

    /** What to call an image in a message, for example its path. */
    String describe(int index);

    /** Releases open files. Closing twice is harmless. */
    @Override
    void close();
}
