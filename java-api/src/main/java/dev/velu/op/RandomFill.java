package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_random_desc;
import dev.velu.device.Context;
import dev.velu.nn.Initializer;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Fills memory with random or constant numbers. Random numbers come from Philox4x32-10 (Salmon et al., SC 2011):
 * element i is a function of the seed, the stream and i only, the same bits on every device and with any number of
 * threads.
 *
 * @param initializer distribution of the numbers
 * @param seed any 64 bits
 * @param stream any 64 bits; distinguishes the tensors filled under one seed
 */
public record RandomFill(Initializer initializer, long seed, long stream) {
    /**
     * Fills a tensor: F32, or any dtype but BF16 for a constant.
     *
     * @throws IllegalArgumentException for another dtype
     * @throws dev.velu.device.VeluException if the distribution's constants are outside their range
     */
    public void fill(Context context, Tensor out) {
        fill(context, out.segment(), out.type(), initializer, seed, stream);
    }

    /**
     * Fills count F32 numbers.
     *
     * @param memory native memory of the context's device, at least {@code 4 count} bytes
     */
    public static void fill(
            Context context, MemorySegment memory, long count, Initializer initializer, long seed, long stream) {
        fill(context, memory, new TensorType(DType.F32, Shape.of(count)), initializer, seed, stream);
    }

    /**
     * Fills the memory of a tensor of a type.
     *
     * @param memory native memory of the context's device, at least as large as the type and aligned to its elements
     */
    public static void fill(
            Context context, MemorySegment memory, TensorType type, Initializer initializer, long seed, long stream) {
        try (Tensor out =
                Tensor.wrap(context, memory, type.dtype(), type.shape().toArray())) {
            switch (initializer) {
                case Initializer.Constant constant -> constant(context, out, constant.value());
                case Initializer.Uniform u ->
                    random(context, out, seed, stream, VeluNative.VELU_DISTRIBUTION_UNIFORM(), u.low(), u.high(), 0, 0);
                case Initializer.Normal n ->
                    random(context, out, seed, stream, VeluNative.VELU_DISTRIBUTION_NORMAL(), n.mean(), n.std(), 0, 0);
                case Initializer.TruncatedNormal t ->
                    random(
                            context,
                            out,
                            seed,
                            stream,
                            VeluNative.VELU_DISTRIBUTION_TRUNCATED_NORMAL(),
                            t.mean(),
                            t.std(),
                            t.low(),
                            t.high());
            }
        }
    }

    private static void random(
            Context context,
            Tensor out,
            long seed,
            long stream,
            int distribution,
            float a,
            float b,
            float low,
            float high) {
        if (out.dtype() != DType.F32) {
            throw new IllegalArgumentException(
                    "random_fill: out is " + out.type() + ", expected F32; other dtypes take a constant only");
        }
        if (out.segment().isReadOnly()) {
            throw new IllegalArgumentException(
                    "random_fill: out is in read-only memory; give memory that can be written");
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = velu_random_desc.allocate(arena);
            velu_random_desc.device(desc, context.device().kind().ordinal());
            velu_random_desc.dtype(desc, DType.F32.code());
            velu_random_desc.count(desc, out.shape().elements());
            velu_random_desc.seed(desc, seed);
            velu_random_desc.stream(desc, stream);
            velu_random_desc.distribution(desc, distribution);
            velu_random_desc.a(desc, a);
            velu_random_desc.b(desc, b);
            velu_random_desc.low(desc, low);
            velu_random_desc.high(desc, high);
            context.check(VeluNative.velu_random_fill(context.handle(), desc, out.segment()), "velu_random_fill");
        }
    }

    private static void constant(Context context, Tensor out, double value) {
        long count = out.shape().elements();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(Math.max(1, out.type().bytes()), 8)
                    .asSlice(0, out.type().bytes());
            if (value != 0) {
                for (long i = 0; i < count; i++) {
                    switch (out.dtype()) {
                        case F32 -> host.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) value);
                        case F64 -> host.setAtIndex(ValueLayout.JAVA_DOUBLE, i, value);
                        case I64 -> host.setAtIndex(ValueLayout.JAVA_LONG, i, (long) value);
                        case I32 -> host.setAtIndex(ValueLayout.JAVA_INT, i, (int) value);
                        case U8 -> host.set(ValueLayout.JAVA_BYTE, i, (byte) value);
                        case BF16 ->
                            throw new IllegalArgumentException(
                                    "random_fill: out is " + out.type() + "; BF16 is not filled, fill F32 and convert");
                    }
                }
            }
            context.upload(host, out.segment());
        }
    }
}
