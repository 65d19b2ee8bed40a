package dev.velu.op;

import dev.velu.device.Context;
import dev.velu.tensor.BFloat16;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.Random;

/**
 * A tensor's content on the host.
 *
 * @param type F32 where it is stored as BF16 in one run and as F32 in another
 * @param data whether it is such a one: an activation or its gradient, with values that both hold exactly
 * @param values of F32 and BF16; null for other dtypes
 * @param bytes of other dtypes; null for F32 and BF16
 */
record HostTensor(TensorType type, boolean data, float[] values, byte[] bytes) {
    /** Normal numbers that bfloat16 holds. */
    static HostTensor data(int seed, long... sizes) {
        float[] values = normal(seed, sizes);
        for (int i = 0; i < values.length; i++) {
            values[i] = BFloat16.round(values[i]);
        }
        return new HostTensor(TensorType.f32(sizes), true, values, null);
    }

    /** Normal float32 numbers: a parameter or a statistic. */
    static HostTensor fixed(int seed, long... sizes) {
        return new HostTensor(TensorType.f32(sizes), false, normal(seed, sizes), null);
    }

    /** Positive float32 numbers: a variance or a second moment. */
    static HostTensor positive(int seed, long... sizes) {
        float[] values = normal(seed, sizes);
        for (int i = 0; i < values.length; i++) {
            values[i] = 0.5f + values[i] * values[i];
        }
        return new HostTensor(TensorType.f32(sizes), false, values, null);
    }

    static HostTensor scalar(float value) {
        return new HostTensor(TensorType.f32(), false, new float[] {value}, null);
    }

    /** Float32 numbers, the same in both runs. */
    static HostTensor exactly(float... values) {
        return new HostTensor(TensorType.f32(values.length), false, values, null);
    }

    static HostTensor of(TensorType type, MemorySegment content) {
        byte[] bytes = new byte[Math.toIntExact(type.bytes())];
        MemorySegment.ofArray(bytes).copyFrom(content);
        return new HostTensor(type, false, null, bytes);
    }

    static HostTensor labels(int... labels) {
        return of(new TensorType(DType.I32, Shape.of(labels.length)), MemorySegment.ofArray(labels));
    }

    private static float[] normal(int seed, long... sizes) {
        Random random = new Random(seed);
        float[] values = new float[Math.toIntExact(Shape.of(sizes).elements())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    /** On a device, data in a dtype. */
    Tensor upload(Context context, DType dtype) {
        Tensor tensor = Tensor.allocate(context, data ? new TensorType(dtype, type.shape()) : type);
        if (values != null) {
            tensor.set(values);
        } else {
            context.upload(MemorySegment.ofArray(bytes), tensor.segment());
        }
        return tensor;
    }

    static HostTensor download(Tensor tensor) {
        if (tensor.dtype() == DType.F32 || tensor.dtype() == DType.BF16) {
            return new HostTensor(tensor.type(), false, tensor.toFloatArray(), null);
        }
        byte[] bytes = new byte[Math.toIntExact(tensor.type().bytes())];
        tensor.context().download(tensor.segment(), MemorySegment.ofArray(bytes));
        return new HostTensor(tensor.type(), false, null, bytes);
    }
}
