package dev.velu.trainer.augment;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Which random changes are made to training images, drawn anew for every epoch and image, in this order.
 *
 * @param resizedCrop least share of the image's area that is cut out and enlarged to the whole, in [0, 1]; 0 for none
 * @param cropPadding the image is padded with this many zero pixels on every side and a random part of the original
 *     size is cut out (torchvision's {@code RandomCrop(size, padding=cropPadding)}); 0 for none
 * @param horizontalFlip whether half of the images, by chance, are flipped left to right
 * @param colorJitter how much brightness, contrast and saturation may change, as a factor in [1 - jitter, 1 + jitter]; in [0, 1]
 * @param operations of RandAugment, applied one after the other; 0 for none
 * @param magnitude of these operations, 0 to 30
 * @param erasing probability that a rectangle is erased, in [0, 1]
 */
public record Augmentation(
        float resizedCrop,
        int cropPadding,
        boolean horizontalFlip,
        float colorJitter,
        int operations,
        int magnitude,
        float erasing) {

    /** Wider padding than any network's input, far from overflow. */
    public static final int MAX_PADDING = 4096;
    /** More operations of RandAugment leave nothing of an image. */
    public static final int MAX_OPERATIONS = 16;
    /** The largest magnitude of RandAugment. */
    public static final int MAX_MAGNITUDE = 30;

    /**
     * Checks the values.
     *
     * @throws IllegalArgumentException if a value is outside its range
     */
    public Augmentation {
        share("random resized crop", resizedCrop);
        between("crop padding", cropPadding, MAX_PADDING);
        share("color jitter", colorJitter);
        between("random augment", operations, MAX_OPERATIONS);
        between("random augment magnitude", magnitude, MAX_MAGNITUDE);
        share("random erasing", erasing);
    }

    /** Crops and flips only. */
    public Augmentation(int cropPadding, boolean horizontalFlip) {
        this(0, cropPadding, horizontalFlip, 0, 0, 0, 0);
    }

    /** No change: for evaluation. */
    public static Augmentation none() {
        return new Augmentation(0, false);
    }

    /**
     * The changes, in order.
     *
     * @param fill red, green and blue of an erased rectangle
     */
    List<Transform> transforms(byte[] fill) {
        List<Transform> transforms = new ArrayList<>();
        if (resizedCrop > 0) {
            transforms.add(new ResizedCrop(resizedCrop));
        }
        if (cropPadding > 0 || horizontalFlip) {
            transforms.add(new CropAndFlip(cropPadding, horizontalFlip));
        }
        if (colorJitter > 0) {
            transforms.add(new ColorJitter(colorJitter));
        }
        if (operations > 0) {
            transforms.addAll(Collections.nCopies(operations, new RandomOperation(magnitude)));
        }
        if (erasing > 0) {
            transforms.add(new RandomErasing(erasing, fill));
        }
        return transforms;
    }

    private static void share(String name, float value) {
        if (!(value >= 0 && value <= 1)) {
            throw new IllegalArgumentException(name + " " + value + " is outside [0, 1]");
        }
    }

    private static void between(String name, int value, int maximum) {
        if (value < 0 || value > maximum) {
            throw new IllegalArgumentException(name + " " + value + " is outside 0.." + maximum);
        }
    }
}
