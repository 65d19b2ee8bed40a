package dev.velu.trainer.data;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decoded and resized images of a data set that fits in memory, so that later epochs do not decode again. Off-heap;
 * safe for use by many threads.
 */
final class SquareCache {

    private static final Logger LOG = LoggerFactory.getLogger(SquareCache.class);
    private static final VarHandle PRESENT = MethodHandles.arrayElementVarHandle(byte[].class);

    private final MemorySegment images;
    private final byte[] present;
    private final int imageBytes;

    private SquareCache(MemorySegment images, int count, int imageBytes) {
        this.images = images;
        this.present = new byte[count];
        this.imageBytes = imageBytes;
    }

    /** A cache in {@code arena}, or one that never holds anything if more than {@code limit} bytes were needed. */
    static SquareCache of(Arena arena, int count, int imageBytes, long limit) {
        long bytes = (long) count * imageBytes;
        if (bytes <= limit) {
            try {
                return new SquareCache(arena.allocate(bytes, 64), count, imageBytes);
            } catch (OutOfMemoryError e) {
                LOG.info("no room for {} MiB of decoded images, so every epoch decodes again", bytes >> 20);
            }
        }
        return new SquareCache(MemorySegment.NULL, 0, imageBytes);
    }

    /** Copies image {@code index} into {@code pixels} if it is here. */
    boolean get(int index, byte[] pixels) {
        // The acquire pairs with the release in put: whoever sees the mark sees the pixels.
        if (present.length == 0 || (byte) PRESENT.getAcquire(present, index) == 0) {
            return false;
        }
        MemorySegment.copy(images, ValueLayout.JAVA_BYTE, (long) index * imageBytes, pixels, 0, imageBytes);
        return true;
    }

    void put(int index, byte[] pixels) {
        if (present.length > 0) {
            MemorySegment.copy(pixels, 0, images, ValueLayout.JAVA_BYTE, (long) index * imageBytes, imageBytes);
            PRESENT.setRelease(present, index, (byte) 1);
        }
    }
}
