package dev.velu.trainer.peer;

import dev.velu.device.Context;
import dev.velu.op.NormalizeImage;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;

/**
 * Images of noise and labels, the same ones for the same sizes.
 *
 * @param images uint8 {@code [N, S, S, 3]}, host memory of the context
 * @param labels int32 {@code [N]}, host memory of the context
 */
public record RandomBatch(int size, int edge, MemorySegment images, MemorySegment labels) {
    private static final int CHANNELS = 3;
    private static final float WHITE = 255;

    /**
     * Draws the images.
     *
     * @param size images
     * @param edge their height and width
     */
    public RandomBatch(int size, int edge, int classes, Context context) {
        this(
                size,
                edge,
                context.allocateHost((long) size * edge * edge * CHANNELS),
                context.allocateHost((long) size * Integer.BYTES));
        Random random = new Random(1);
        byte[] pixels = new byte[edge * edge * CHANNELS];
        for (int i = 0; i < size; i++) {
            random.nextBytes(pixels);
            MemorySegment.copy(pixels, 0, images, ValueLayout.JAVA_BYTE, (long) i * pixels.length, pixels.length);
            labels.setAtIndex(ValueLayout.JAVA_INT, i, random.nextInt(classes));
        }
    }

    /** The labels on the heap. */
    public int[] labelArray() {
        return labels.toArray(ValueLayout.JAVA_INT);
    }

    /** One image as other libraries take it: {@code [3, S, S]}, normalized. */
    float[] normalized(int image, NormalizeImage normalization) {
        int plane = edge * edge;
        float[] values = new float[CHANNELS * plane];
        for (int pixel = 0; pixel < plane; pixel++) {
            for (int channel = 0; channel < CHANNELS; channel++) {
                long index = ((long) image * plane + pixel) * CHANNELS + channel;
                float value = Byte.toUnsignedInt(images.get(ValueLayout.JAVA_BYTE, index)) / WHITE;
                values[channel * plane + pixel] = (value - normalization.mean().get(channel))
                        / normalization.std().get(channel);
            }
        }
        return values;
    }
}
