package dev.velu.trainer.augment;

import dev.velu.trainer.random.Beta;
import dev.velu.trainer.random.SplitMix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Mixes every image of a batch with the one before it, the first with the last: what torchvision's {@code MixUp} and {@code CutMix}
 * do with a batch rolled by one. One share holds for the whole batch.
 *
 * <p>Works on 8-bit pixels, so a blend is rounded once more than one of normalized floats, by at most half a gray level. Not for
 * use by two threads at once.
 */
public final class BatchMix {
    private static final int BITS = 16;
    private static final int ONE = 1 << BITS;
    private static final int HALF = ONE / 2;

    private final Mixing mixing;
    private final int size;
    private final int imageBytes;
    private byte[] own;
    private byte[] before;
    private final byte[] last;

    /** @param size height and width of the images in pixels */
    public BatchMix(Mixing mixing, int size) {
        this.mixing = mixing;
        this.size = size;
        imageBytes = size * size * 3;
        own = new byte[imageBytes];
        before = new byte[imageBytes];
        last = new byte[imageBytes];
    }

    /**
     * Mixes the first {@code count} rows.
     *
     * @param images uint8 {@code [N, size, size, 3]}, changed in place
     * @param labels int32 {@code [N]}, each image's own, read only
     * @param otherLabels int32 {@code [N]}: receives the label of what is mixed in, -1 from {@code count} on
     * @param shares float32 {@code [N]}: receives the share of the image's own label, in [0, 1]; 1 from {@code count} on
     */
    public void apply(
            MemorySegment images,
            MemorySegment labels,
            int count,
            MemorySegment otherLabels,
            MemorySegment shares,
            SplitMix random) {
        boolean cut = mixing.mixup() == 0 || mixing.cutmix() > 0 && random.nextBoolean();
        double drawn = Beta.draw(cut ? mixing.cutmix() : mixing.mixup(), random);
        float share = count < 2 ? 1 : cut ? cut(images, count, drawn, random) : blend(images, count, drawn);
        long rows = labels.byteSize() / Integer.BYTES;
        for (long row = 0; row < rows; row++) {
            boolean image = row < count;
            long other = row == 0 ? count - 1 : row - 1;
            otherLabels.setAtIndex(
                    ValueLayout.JAVA_INT, row, image ? labels.getAtIndex(ValueLayout.JAVA_INT, other) : -1);
            shares.setAtIndex(ValueLayout.JAVA_FLOAT, row, image ? share : 1);
        }
    }

    /** From the last row to the first, so that the row before is still what it was. */
    private float blend(MemorySegment images, int count, double drawn) {
        int weight = (int) Math.rint(drawn * ONE);
        read(images, count - 1, last);
        System.arraycopy(last, 0, own, 0, imageBytes);
        for (int row = count - 1; row >= 0; row--) {
            byte[] other = row == 0 ? last : before;
            if (row > 0) {
                read(images, row - 1, before);
            }
            for (int i = 0; i < imageBytes; i++) {
                own[i] = (byte) (((own[i] & 255) * weight + (other[i] & 255) * (ONE - weight) + HALF) >> BITS);
            }
            MemorySegment.copy(own, 0, images, ValueLayout.JAVA_BYTE, (long) row * imageBytes, imageBytes);
            byte[] mixed = own;
            own = before;
            before = mixed;
        }
        return (float) weight / ONE;
    }

    private void read(MemorySegment images, int row, byte[] target) {
        MemorySegment.copy(images, ValueLayout.JAVA_BYTE, (long) row * imageBytes, target, 0, imageBytes);
    }

    /** The share is what is left of the area: at the border the rectangle is cut off. */
    private float cut(MemorySegment images, int count, double drawn, SplitMix random) {
        int half = (int) (0.5 * Math.sqrt(1 - drawn) * size);
        int x = random.nextInt(size);
        int y = random.nextInt(size);
        int left = Math.max(x - half, 0);
        int right = Math.min(x + half, size);
        int top = Math.max(y - half, 0);
        int bottom = Math.min(y + half, size);
        read(images, count - 1, last);
        MemorySegment lastImage = MemorySegment.ofArray(last);
        long bytes = (right - left) * 3L;
        for (int row = count - 1; row >= 0; row--) {
            MemorySegment other = row == 0 ? lastImage : images;
            long start = row == 0 ? 0 : (long) (row - 1) * imageBytes;
            for (int line = top; line < bottom; line++) {
                long offset = ((long) line * size + left) * 3;
                MemorySegment.copy(other, start + offset, images, (long) row * imageBytes + offset, bytes);
            }
        }
        return 1 - (float) ((right - left) * (bottom - top)) / (size * size);
    }
}
