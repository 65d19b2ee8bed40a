package dev.velu.tensor;

import dev.velu.device.Context;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A dense row-major tensor in the memory of one context's device.
 *
 * <p>A tensor from {@link #allocate} owns its memory until {@link #close}, or until its context is closed. A tensor from
 * {@link #wrap} is a view of memory that stays the caller's. Using a tensor after its memory is gone is an
 * {@link IllegalStateException}. Closing twice is allowed.
 */
public final class Tensor implements AutoCloseable {
    private final Context context;
    private final TensorType type;
    private final MemorySegment segment;
    private final boolean owned;

    private Tensor(Context context, TensorType type, MemorySegment segment, boolean owned) {
        this.context = context;
        this.type = type;
        this.segment = segment;
        this.owned = owned;
    }

    /**
     * Allocates zeroed device memory.
     *
     * @throws dev.velu.device.VeluException if memory is exhausted
     */
    public static Tensor allocate(Context context, DType dtype, long... sizes) {
        return allocate(context, new TensorType(dtype, Shape.of(sizes)));
    }

    /**
     * Allocates zeroed device memory.
     *
     * @see #allocate(Context, DType, long...)
     */
    public static Tensor allocate(Context context, TensorType type) {
        MemorySegment memory = context.allocate(Math.max(1, type.bytes()));
        return new Tensor(context, type, memory.asSlice(0, type.bytes()), true);
    }

    /**
     * Views the caller's memory as a tensor without copying.
     *
     * @param segment native memory on the context's device, aligned to the element size, at least as large as the type
     * @throws IllegalArgumentException for a null, heap, misaligned or too small segment
     */
    public static Tensor wrap(Context context, MemorySegment segment, DType dtype, long... sizes) {
        TensorType type = new TensorType(dtype, Shape.of(sizes));
        if (segment == null || segment.equals(MemorySegment.NULL)) {
            throw new IllegalArgumentException("the segment for a tensor of " + type + " is null");
        }
        if (!segment.isNative()) {
            throw new IllegalArgumentException("the segment for a tensor of " + type
                    + " is on the Java heap; allocate it from an Arena or use Tensor.allocate");
        }
        if (segment.byteSize() < type.bytes()) {
            throw new IllegalArgumentException("a segment of " + segment.byteSize() + " bytes is too small for " + type
                    + ", which needs " + type.bytes());
        }
        if (segment.address() % dtype.bytes() != 0) {
            throw new IllegalArgumentException("the segment at address " + segment.address() + " is not aligned to "
                    + dtype.bytes() + " bytes, the element size of " + dtype);
        }
        return new Tensor(context, type, segment.asSlice(0, type.bytes()), false);
    }

    /** The context whose device has the memory. */
    public Context context() {
        return context;
    }

    /** Element type and shape. */
    public TensorType type() {
        return type;
    }

    /** Element type. */
    public DType dtype() {
        return type.dtype();
    }

    /** Sizes of the axes. */
    public Shape shape() {
        return type.shape();
    }

    /**
     * The tensor's memory.
     *
     * @throws IllegalStateException after close
     */
    public MemorySegment segment() {
        if (!segment.scope().isAlive()) {
            throw new IllegalStateException("this tensor of " + type + " is closed");
        }
        return segment;
    }

    /** Copies host values in; as many as the tensor has elements. F32, or BF16, which rounds to nearest. */
    public Tensor set(float... values) {
        requireFloating(values.length);
        context.upload(type.dtype() == DType.F32 ? MemorySegment.ofArray(values) : rounded(values), segment());
        return this;
    }

    private static MemorySegment rounded(float[] values) {
        short[] bits = new short[values.length];
        for (int i = 0; i < bits.length; i++) {
            bits[i] = BFloat16.of(values[i]);
        }
        return MemorySegment.ofArray(bits);
    }

    /** Copies the values out. F32 or BF16. */
    public float[] toFloatArray() {
        requireFloating(type.shape().elements());
        float[] values = new float[Math.toIntExact(type.shape().elements())];
        if (type.dtype() == DType.F32) {
            context.download(segment(), MemorySegment.ofArray(values));
            return values;
        }
        short[] bits = new short[values.length];
        context.download(segment(), MemorySegment.ofArray(bits));
        for (int i = 0; i < bits.length; i++) {
            values[i] = BFloat16.toFloat(bits[i]);
        }
        return values;
    }

    /** Copies labels in; as many as the tensor has elements. I32 only. */
    public Tensor set(int... values) {
        if (type.dtype() != DType.I32 || values.length != type.shape().elements()) {
            throw new IllegalArgumentException(values.length + " ints do not fit a tensor of " + type);
        }
        context.upload(MemorySegment.ofArray(values), segment());
        return this;
    }

    /** The only element of a tensor of one element. */
    public double item() {
        if (type.shape().elements() != 1) {
            throw new IllegalArgumentException("item() needs one element; this tensor is " + type);
        }
        byte[] bytes = new byte[type.dtype().bytes()];
        MemorySegment host = MemorySegment.ofArray(bytes);
        context.download(segment(), host);
        return switch (type.dtype()) {
            case F32 -> host.get(ValueLayout.JAVA_FLOAT_UNALIGNED, 0);
            case F64 -> host.get(ValueLayout.JAVA_DOUBLE_UNALIGNED, 0);
            case I64 -> host.get(ValueLayout.JAVA_LONG_UNALIGNED, 0);
            case I32 -> host.get(ValueLayout.JAVA_INT_UNALIGNED, 0);
            case U8 -> bytes[0] & 0xff;
            case BF16 -> BFloat16.toFloat(host.get(ValueLayout.JAVA_SHORT_UNALIGNED, 0));
        };
    }

    private void requireFloating(long values) {
        if (type.dtype() != DType.F32 && type.dtype() != DType.BF16
                || values != type.shape().elements()) {
            throw new IllegalArgumentException(values + " floats do not match a tensor of " + type);
        }
    }

    /** Releases the memory if this tensor owns it. */
    @Override
    public void close() {
        if (owned) {
            context.free(segment);
        }
    }

    @Override
    public String toString() {
        return "Tensor[" + type + " on " + context.device() + "]";
    }
}
