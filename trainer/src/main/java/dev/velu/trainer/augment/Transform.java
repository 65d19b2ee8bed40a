package dev.velu.trainer.augment;

import dev.velu.trainer.random.SplitMix;

/** A random change of a square image. May keep scratch memory: not for use by two threads at once. */
sealed interface Transform permits CropAndFlip, ResizedCrop, ColorJitter, RandomOperation, RandomErasing {
    /**
     * Draws one change and applies it.
     *
     * @param in uint8 {@code [size, size, 3]}, left as it is
     * @param out as {@code in}, another array
     * @return whether {@code out} holds the changed image; false if chance left the image as it is and {@code out} holds nothing
     *     of use
     */
    boolean apply(byte[] in, byte[] out, int size, SplitMix random);
}
