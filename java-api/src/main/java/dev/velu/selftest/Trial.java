package dev.velu.selftest;

import dev.velu.device.Context;
import dev.velu.tensor.BFloat16;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** One operation on one case: makes its guarded tensors, compares its results, and at the end looks at the guards. */
final class Trial implements AutoCloseable {
    private static final int SHIFTS = 3;

    private final Context context;
    private final DType dtype;
    private final Comparison comparison = new Comparison();
    private final List<Sentinel> sentinels = new ArrayList<>();

    /** A trial whose data is F32. */
    Trial(Context context) {
        this(context, DType.F32);
    }

    /** @param dtype of the data, F32 or BF16; parameters, statistics and gradients of parameters are F32 in either */
    Trial(Context context, DType dtype) {
        this.context = context;
        this.dtype = dtype;
    }

    Context context() {
        return context;
    }

    DType dtype() {
        return dtype;
    }

    Comparison comparison() {
        return comparison;
    }

    /** Data that the operation only reads. */
    Tensor data(float[] values, long... sizes) {
        return tensor(dtype, inMemory(values), true, sizes);
    }

    /** Data that the operation updates. */
    Tensor updatedData(float[] values, long... sizes) {
        return tensor(dtype, inMemory(values), false, sizes);
    }

    /** Data that the operation writes. */
    Tensor result(long... sizes) {
        return output(dtype, sizes);
    }

    /** A BF16 tensor that the operation only reads, whatever the trial's data type. */
    Tensor bfloat16(float[] values, long... sizes) {
        return tensor(DType.BF16, rounded(values), true, sizes);
    }

    private MemorySegment inMemory(float[] values) {
        return dtype == DType.F32 ? MemorySegment.ofArray(values) : rounded(values);
    }

    private static MemorySegment rounded(float[] values) {
        short[] bits = new short[values.length];
        for (int i = 0; i < bits.length; i++) {
            bits[i] = BFloat16.of(values[i]);
        }
        return MemorySegment.ofArray(bits);
    }

    /** An F32 tensor that the operation only reads. */
    Tensor input(float[] values, long... sizes) {
        return tensor(DType.F32, MemorySegment.ofArray(values), true, sizes);
    }

    /** An F32 scalar that the operation only reads. */
    Tensor scalar(float value) {
        return input(new float[] {value});
    }

    /** An I32 tensor that the operation only reads. */
    Tensor input(int[] values, long... sizes) {
        return tensor(DType.I32, MemorySegment.ofArray(values), true, sizes);
    }

    /** A U8 tensor that the operation only reads. */
    Tensor input(byte[] values, long... sizes) {
        return tensor(DType.U8, MemorySegment.ofArray(values), true, sizes);
    }

    /** An I64 scalar that the operation only reads. */
    Tensor scalar(long value) {
        return tensor(DType.I64, MemorySegment.ofArray(new long[] {value}), true);
    }

    /** An F32 tensor that the operation updates. */
    Tensor updated(float[] values, long... sizes) {
        return tensor(DType.F32, MemorySegment.ofArray(values), false, sizes);
    }

    /** An F64 tensor that the operation updates. */
    Tensor updated(double[] values, long... sizes) {
        return tensor(DType.F64, MemorySegment.ofArray(values), false, sizes);
    }

    /** An I64 scalar that the operation updates. */
    Tensor updated(long value) {
        return tensor(DType.I64, MemorySegment.ofArray(new long[] {value}), false);
    }

    /** A tensor that the operation writes. */
    Tensor output(DType dtype, long... sizes) {
        return sentinel(dtype, sizes).tensor();
    }

    private Tensor tensor(DType dtype, MemorySegment values, boolean isInput, long... sizes) {
        Sentinel sentinel = sentinel(dtype, sizes);
        sentinel.set(values, isInput);
        return sentinel.tensor();
    }

    private Sentinel sentinel(DType dtype, long... sizes) {
        Sentinel sentinel = new Sentinel(context, dtype, Shape.of(sizes), sentinels.size() % SHIFTS);
        sentinels.add(sentinel);
        return sentinel;
    }

    /** Within a tolerance relative to the reference's own absolute values. */
    void compare(String what, Tensor actual, double[] expected, Tolerance tolerance) {
        compare(what, actual, expected, expected, tolerance);
    }

    /** Within a tolerance relative to magnitudes, and for BF16 that of its rounding. */
    void compare(String what, Tensor actual, double[] expected, double[] magnitude, Tolerance tolerance) {
        compare(what, actual.dtype(), actual.toFloatArray(), expected, magnitude, tolerance);
    }

    /** The same of values that were stored in a dtype. */
    void compare(
            String what, DType storedIn, float[] actual, double[] expected, double[] magnitude, Tolerance tolerance) {
        for (int i = 0; i < expected.length; i++) {
            double rounding = storedIn == DType.BF16 ? Tolerances.bfloat16Rounding(expected[i]) : 0;
            comparison.element(what, i, actual[i], expected[i], tolerance.at(magnitude[i]) + rounding);
        }
    }

    /** Equal, NaN to NaN; to BF16 rounded to nearest. */
    void compareExactly(String what, Tensor actual, float[] expected) {
        float[] values = actual.toFloatArray();
        for (int i = 0; i < expected.length; i++) {
            float rounded = actual.dtype() == DType.BF16 ? BFloat16.round(expected[i]) : expected[i];
            comparison.element(what, i, values[i], rounded, 0);
        }
    }

    /** An integer that must be equal. */
    void compareExactly(String what, Tensor actual, long expected) {
        comparison.element(what, 0, actual.item(), expected, 0);
    }

    /** Compares one number. */
    void compare(String what, double actual, double expected, double tolerance) {
        comparison.element(what, 0, actual, expected, tolerance);
    }

    /** The elements of a U8 tensor. */
    int[] bytes(Tensor tensor) {
        byte[] values = new byte[Math.toIntExact(tensor.shape().elements())];
        context.download(tensor.segment(), MemorySegment.ofArray(values));
        int[] numbers = new int[values.length];
        for (int i = 0; i < values.length; i++) {
            numbers[i] = values[i] & 0xff;
        }
        return numbers;
    }

    /** Looks at every guard and every input. */
    void checkSentinels() {
        for (Sentinel sentinel : sentinels) {
            String violation = sentinel.violation();
            if (violation != null) {
                comparison.failure(violation);
            }
        }
    }

    @Override
    public void close() {
        sentinels.forEach(Sentinel::close);
    }
}
