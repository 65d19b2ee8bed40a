package dev.velu.trainer.augment;

import dev.velu.trainer.random.SplitMix;
import java.util.Arrays;

/**
 * Pads with zero and cuts out a part of the original size, and flips.
 *
 * @param padding pixels on every side; 0 for no crop
 * @param flip whether half of the images are flipped left to right
 */
record CropAndFlip(int padding, boolean flip) implements Transform {
    @Override
    public boolean apply(byte[] in, byte[] out, int size, SplitMix random) {
        int shiftX = random.nextInt(2 * padding + 1) - padding;
        int shiftY = random.nextInt(2 * padding + 1) - padding;
        boolean flipped = flip && random.nextBoolean();
        if (shiftX == 0 && shiftY == 0 && !flipped) {
            return false;
        }
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
            if (flipped) {
                reverse(out, row, size);
            }
        }
        return true;
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
