package dev.velu.pytorch;

import dev.velu.safetensors.ElementType;
import dev.velu.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A tensor as PyTorch stores it: a view of a storage.
 *
 * @param offset of the first element in the storage
 * @param strides elements between neighbours along each axis; zero or more
 */
record StoredTensor(Storage storage, long offset, Shape shape, long[] strides) {
    private static final ValueLayout.OfFloat HOST_FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

    /**
     * A tensor that lies within its storage.
     *
     * @throws IllegalArgumentException if it does not; says why
     */
    static StoredTensor of(Storage storage, long offset, long[] sizes, long[] strides) {
        if (sizes.length != strides.length) {
            throw new IllegalArgumentException(
                    "a tensor of rank " + sizes.length + " has " + strides.length + " strides");
        }
        Shape shape = Shape.of(sizes);
        if (offset < 0) {
            throw new IllegalArgumentException("a tensor of shape " + shape + " has the offset " + offset);
        }
        long last = offset;
        for (int axis = 0; axis < sizes.length; axis++) {
            if (strides[axis] < 0) {
                throw new IllegalArgumentException("a tensor of shape " + shape + " has the stride " + strides[axis]);
            }
            try {
                last = Math.addExact(last, Math.multiplyExact(Math.max(0, sizes[axis] - 1), strides[axis]));
            } catch (ArithmeticException e) {
                last = Long.MAX_VALUE;
            }
        }
        if (shape.elements() > 0 && last >= storage.elements()) {
            throw new IllegalArgumentException("a tensor of shape " + shape + " reaches beyond the "
                    + storage.elements() + " elements of its storage");
        }
        return new StoredTensor(storage, offset, shape, strides);
    }

    /** Whether the elements lie one after the other in row-major order. */
    private boolean contiguous() {
        long expected = 1;
        for (int axis = strides.length - 1; axis >= 0; axis--) {
            if (shape.size(axis) != 1 && strides[axis] != expected) {
                return false;
            }
            expected *= shape.size(axis);
        }
        return true;
    }

    /**
     * Writes elements as float32.
     *
     * @param block the bytes of the whole block of the storage, little-endian
     * @param first index of the first element, in row-major order of the shape
     */
    void copyTo(MemorySegment block, long first, MemorySegment destination) {
        long count = destination.byteSize() / Float.BYTES;
        if (!contiguous()) {
            Walk walk = new Walk(first);
            for (long i = 0; i < count; i++) {
                destination.set(HOST_FLOAT, i * Float.BYTES, storage.dtype().toFloat(block, walk.next()));
            }
            return;
        }
        int bytes = storage.dtype().bytes();
        MemorySegment source = block.asSlice((storage.first() + offset + first) * bytes, count * bytes);
        if (storage.dtype() == ElementType.F32 && ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN) {
            destination.copyFrom(source);
            return;
        }
        for (long i = 0; i < count; i++) {
            destination.set(HOST_FLOAT, i * Float.BYTES, storage.dtype().toFloat(source, i));
        }
    }

    /** All elements as integers; the shape has no more than an array holds. */
    long[] toLongArray(MemorySegment block) {
        long[] values = new long[Math.toIntExact(shape.elements())];
        Walk walk = new Walk(0);
        for (int i = 0; i < values.length; i++) {
            values[i] = storage.dtype().toLong(block, walk.next());
        }
        return values;
    }

    /** The places of the elements in the block, in row-major order of the shape. */
    private final class Walk {
        private final long[] sizes = shape.toArray();
        private final long[] index = new long[sizes.length];
        private long position = storage.first() + offset;

        Walk(long first) {
            long rest = first;
            for (int axis = sizes.length - 1; axis >= 0; axis--) {
                index[axis] = rest % sizes[axis];
                rest /= sizes[axis];
                position += index[axis] * strides[axis];
            }
        }

        long next() {
            long here = position;
            for (int axis = sizes.length - 1; axis >= 0; axis--) {
                position += strides[axis];
                if (++index[axis] < sizes[axis]) {
                    break;
                }
                position -= sizes[axis] * strides[axis];
                index[axis] = 0;
            }
            return here;
        }
    }
}
