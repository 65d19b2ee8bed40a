package dev.velu.trainer.augment;

import dev.velu.trainer.random.SplitMix;
import java.util.List;

/** Applies an {@link Augmentation} to one image after the other. Not for use by two threads at once. */
public final class Augmenter {
    private final List<Transform> transforms;
    private final int size;
    private final byte[] scratch;

    /**
     * @param size height and width of the images in pixels
     * @param fill red, green and blue, uint8, of what is erased: the data's mean, which normalization turns to 0
     */
    public Augmenter(Augmentation augmentation, int size, byte[] fill) {
        transforms = augmentation.transforms(fill);
        this.size = size;
        scratch = transforms.isEmpty() ? null : new byte[size * size * 3];
    }

    /**
     * Changes an image as chance will have it.
     *
     * @param pixels uint8 {@code [size, size, 3]}; overwritten
     * @return {@code pixels}, or memory of this augmenter that the next call overwrites
     */
    public byte[] apply(byte[] pixels, SplitMix random) {
        byte[] image = pixels;
        byte[] other = scratch;
        for (int i = 0; i < transforms.size(); i++) {
            if (transforms.get(i).apply(image, other, size, random)) {
                byte[] changed = other;
                other = image;
                image = changed;
            }
        }
        return image;
    }

    /** Whether every image stays as it is. */
    public boolean changesNothing() {
        return transforms.isEmpty();
    }
}
