package dev.velu.trainer.data;

import java.util.Arrays;

/**
 * Random changes to training images, drawn anew for every epoch and image.
 *
 * @param cropPadding the image is padded with this many zero pixels on every side and a random part of the original
 *     size is cut out (torchvision's {@code RandomCrop(size, padding=cropPadding)}); 0 for none
 * @param horizontalFlip whether half of the images, by chance, are flipped left to right
 */
public record Augmentation(int cropPadding, boolean horizontalFlip) {

    /** Wider padding than any network's input, far from overflow. */
    public static final int MAX_PADDING = 4096;

    /** @throws IllegalArgumentException if the padding is outside {@code [0, 4096]} */
    public Augmentation {
        if (cropPadding < 0 || cropPadding > MAX_PADDING) {
            throw new IllegalArgumentException("crop padding " + cropPadding + " is outside 0.." + MAX_PADDING);
        }
    }

    /** No change: for evaluation. */
    public static Augmentation none() {
        return new Augmentation(0, false);
    }

    /** The usual choice for training: padding of an eighth of the image, and flips where they preserve the class. */
    public static Augmentation forTraining(Dataset dataset, int imageSize) {
        return new Augmentation(imageSize / 8, dataset.horizontalFlip());
    }

    boolean changesNothing() {
        return cropPadding == 0 && !horizontalFlip;
    }

    /**
     * Draws one change and applies it.
     *
     * @param in uint8 {@code [size, size, 3]}
     * @param out as {@code in}, another array; every byte is written
     */
    void apply(byte[] in, byte[] out, int size, SplitMix random) {
        int shiftX = random.nextInt(2 * cropPadding + 1) - cropPadding;
        int shiftY = random.nextInt(2 * cropPadding + 1) - cropPadding;
        boolean flip = horizontalFlip && random.nextBoolean();
        int rowBytes = size * 3;
        // Output columns [from, to) show the image, the others padding.
        int from = Math.clamp(-shiftX, 0, size);
        int to = Math.clamp(size - shiftX, 0, size);
        for (int y = 0; y < size; y++) {
            int row = y * rowBytes;
            int sourceY = y + shiftY;
            if (sourceY < 0 || sourceY >= size || from == to) {
                Arrays.fill(out, row, row + rowBytes, (byte) 0);
                continue;
            }
            Arrays.fill(out, row, row + from * 3, (byte) 0);
            System.arraycopy(in, sourceY * rowBytes + (from + shiftX) * 3, out, row + from * 3, (to - from) * 3);
            Arrays.fill(out, row + to * 3, row + rowBytes, (byte) 0);
            if (flip) {
                reverse(out, row, size);
            }
        }
    }

    private static void reverse(byte[] pixels, int row, int width) {
        for (int left = row, right = row + (width - 1) * 3; left < right; left += 3, right -= 3) {
            for (int c = 0; c < 3; c++) {
                byte value = pixels[left + c];
                pixels[left + c] = pixels[right + c];
                pixels[right + c] = value;
            }
        }
    }
}
