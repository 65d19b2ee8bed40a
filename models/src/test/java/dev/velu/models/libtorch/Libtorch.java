package dev.velu.models.libtorch;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.GradientCollector;
import dev.velu.nn.Parameter;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;

/**
 * libtorch on the CPU: tensors over native memory, and its operations in float64. Images are {@code [N, C, H, W]}. What it
 * makes is released when it is closed.
 *
 * <p>Tensors made of Java's memory, as the binding makes one of every number it is given, die with that memory even where libtorch
 * still needs them for a gradient. So none takes part in a calculation here: constants are copied, and numbers become tensors
 * by {@link #scalar}.
 */
public final class Libtorch implements AutoCloseable {
    private final Engine engine = Engine.getEngine("PyTorch");
    private final NDManager manager = engine.newBaseManager(Device.cpu());

    /** Collects what is needed for gradients until it is closed; one at a time. */
    public GradientCollector collectGradients() {
        return engine.newGradientCollector();
    }

    /** A view of float32 memory. The memory must outlive it. */
    public NDArray view(MemorySegment memory, long... shape) {
        return manager.create(memory.asByteBuffer().order(ByteOrder.nativeOrder()), new Shape(shape), DataType.FLOAT32);
    }

    /** A view of a parameter's memory, its values or its gradient, with the axes in the order of files, which is torch's. */
    public NDArray view(Parameter parameter, MemorySegment memory) {
        long[] shape = parameter.type().shape().toArray();
        if (parameter.layout().equals(Parameter.Layout.CONVOLUTION)) {
            return view(memory, shape).transpose(0, 3, 1, 2);
        }
        long pixels = parameter.pixels();
        return pixels == 1
                ? view(memory, shape)
                : view(memory, shape[0], pixels, shape[1] / pixels)
                        .transpose(0, 2, 1)
                        .reshape(shape);
    }

    /** A copy in float64. */
    public NDArray copy(NDArray x) {
        // Converting to the type it has already would give the same memory, even when asked for a copy.
        return x.getDataType() == DataType.FLOAT64 ? x.duplicate() : x.toType(DataType.FLOAT64, true);
    }

    /** A copy in float64 whose gradient is wanted. */
    public NDArray variable(NDArray x) {
        NDArray variable = copy(x);
        variable.setRequiresGradient(true);
        return variable;
    }

    /** A float64 tensor of given values. */
    public NDArray constant(double[] values, long... shape) {
        try (NDArray borrowed = manager.create(values, new Shape(shape))) {
            return copy(borrowed);
        }
    }

    /** A scalar 0. */
    public NDArray zero() {
        return manager.zeros(new Shape(), DataType.FLOAT64);
    }

    /** A float64 scalar that lives as long as x's manager. */
    static NDArray scalar(NDArray x, double value) {
        try (NDArray one = x.getManager().ones(new Shape(), DataType.FLOAT64)) {
            return one.mul(value);
        }
    }

    /** {@code factor x}. */
    public static NDArray times(NDArray x, double factor) {
        return x.mul(scalar(x, factor));
    }

    /** {@code x + term}. */
    public static NDArray plus(NDArray x, double term) {
        return x.add(scalar(x, term));
    }

    /** {@code min(max(x, low), high)}; x is never at either. */
    public static NDArray clip(NDArray x, double low, double high) {
        return x.maximum(scalar(x, low)).minimum(scalar(x, high));
    }

    /** @param weight {@code [O, I / groups, kh, kw]} */
    public static NDArray conv2d(
            NDArray x, NDArray weight, long[] stride, long[] padding, long[] dilation, int groups) {
        return JniUtils.convolution(
                (PtNDArray) x,
                (PtNDArray) weight,
                null,
                new Shape(stride),
                new Shape(padding),
                new Shape(dilation),
                groups);
    }

    /**
     * The convolution of each channel with a kernel of its own, a tap of the kernel at a time: libtorch in float64 would compute
     * channel by channel, which takes seconds where there are thousands.
     *
     * @param weight {@code [C, 1, kh, kw]}
     */
    public static NDArray depthwiseConv2d(NDArray x, NDArray weight, long[] stride, long[] padding) {
        NDArray padded = x.pad(new Shape(padding[1], padding[1], padding[0], padding[0]), 0);
        long height = padded.getShape().get(2) - weight.getShape().get(2);
        long width = padded.getShape().get(3) - weight.getShape().get(3);
        NDArray y = null;
        for (long i = 0; i < weight.getShape().get(2); i++) {
            for (long j = 0; j < weight.getShape().get(3); j++) {
                NDArray tap = weight.get(":, 0, " + i + ", " + j).reshape(1, -1, 1, 1);
                NDArray seen = padded.get(":, :, " + i + ":" + (i + height + 1) + ":" + stride[0] + ", " + j + ":"
                        + (j + width + 1) + ":" + stride[1]);
                y = y == null ? seen.mul(tap) : y.add(seen.mul(tap));
            }
        }
        return y;
    }

    /**
     * Normalizes with the batch's statistics, which also update the running ones.
     *
     * @param momentum torch's: the weight of the new statistic
     */
    public static NDArray batchNorm(
            NDArray x,
            NDArray weight,
            NDArray bias,
            NDArray runningMean,
            NDArray runningVar,
            double momentum,
            double eps) {
        // The running statistics come before weight and bias, whatever this method's parameters are called.
        return JniUtils.batchNorm(
                (PtNDArray) x,
                (PtNDArray) runningMean,
                (PtNDArray) runningVar,
                (PtNDArray) weight,
                (PtNDArray) bias,
                true,
                momentum,
                eps);
    }

    /** Over the last axis. */
    public static NDArray layerNorm(NDArray x, NDArray weight, NDArray bias, double eps) {
        return JniUtils.layerNorm((PtNDArray) x, weight.getShape(), (PtNDArray) weight, (PtNDArray) bias, eps);
    }

    /** x {@code [.., in]}, weight {@code [out, in]}; bias may be null. */
    public static NDArray linear(NDArray x, NDArray weight, NDArray bias) {
        return JniUtils.linear((PtNDArray) x, (PtNDArray) weight, (PtNDArray) bias);
    }

    /** {@code softmax(scale q k^T) v} of each head; qkv {@code [N, T, 3 E]} to {@code [N, T, E]}. */
    public static NDArray attention(NDArray qkv, int heads, double scale) {
        long batch = qkv.getShape().get(0);
        long tokens = qkv.getShape().get(1);
        long width = qkv.getShape().get(2) / 3;
        // [3, N, heads, T, E / heads]
        NDArray split = qkv.reshape(batch, tokens, 3, heads, width / heads).transpose(2, 0, 3, 1, 4);
        NDArray scores = times(split.get(0).matMul(split.get(1).transpose(0, 1, 3, 2)), scale);
        return scores.softmax(-1).matMul(split.get(2)).transpose(0, 2, 1, 3).reshape(batch, tokens, width);
    }

    /** Pads with -inf. */
    public static NDArray maxPool2d(NDArray x, long[] kernel, long[] stride, long[] padding) {
        return JniUtils.maxPool((PtNDArray) x, new Shape(kernel), new Shape(stride), new Shape(padding), false);
    }

    /** Divides by the kernel's size, or by the number of elements inside the image. */
    public static NDArray avgPool2d(NDArray x, long[] kernel, long[] stride, long[] padding, boolean countIncludePad) {
        NDArray y =
                JniUtils.avgPool((PtNDArray) x, new Shape(kernel), new Shape(stride), new Shape(padding), false, true);
        // The binding ignores its flag for the other divisor, so the share of elements inside the image is divided by.
        return countIncludePad ? y : y.div(avgPool2d(x.onesLike(), kernel, stride, padding, true));
    }

    public static NDArray adaptiveAvgPool2d(NDArray x, long height, long width) {
        return JniUtils.adaptiveAvgPool((PtNDArray) x, new Shape(height, width));
    }

    public static NDArray relu(NDArray x) {
        return JniUtils.relu((PtNDArray) x);
    }

    public static NDArray relu6(NDArray x) {
        return clip(x, 0, 6);
    }

    public static NDArray sigmoid(NDArray x) {
        return JniUtils.sigmoid((PtNDArray) x);
    }

    public static NDArray silu(NDArray x) {
        return x.mul(sigmoid(x));
    }

    /** The exact one. */
    public static NDArray gelu(NDArray x) {
        return JniUtils.gelu((PtNDArray) x);
    }

    /** A pointwise function by its label. */
    public static NDArray activation(String label, NDArray x) {
        return switch (label) {
            case "relu" -> relu(x);
            case "relu6" -> relu6(x);
            case "silu" -> silu(x);
            case "gelu" -> gelu(x);
            case "sigmoid" -> sigmoid(x);
            default -> throw new IllegalArgumentException("activation '" + label + "' is unknown");
        };
    }

    /** Tensors beside each other. */
    public static NDArray cat(int axis, NDArray... tensors) {
        return NDArrays.concat(new NDList(tensors), axis);
    }

    /**
     * Mean over the rows with a label of the cross-entropy against {@code (1 - smoothing) onehot + smoothing / classes}.
     *
     * @param labels one per row of the logits; -1 for rows to leave out
     */
    public NDArray crossEntropy(NDArray logits, int[] labels, double smoothing) {
        int classes = Math.toIntExact(logits.getShape().get(1));
        double[] target = new double[labels.length * classes];
        int labelled = 0;
        for (int label : labels) {
            labelled += label < 0 ? 0 : 1;
        }
        for (int row = 0; row < labels.length; row++) {
            for (int c = 0; c < classes && labels[row] >= 0; c++) {
                double share = (c == labels[row] ? 1 - smoothing : 0) + smoothing / classes;
                target[row * classes + c] = -share / labelled;
            }
        }
        return logits.logSoftmax(-1)
                .mul(constant(target, labels.length, classes))
                .sum();
    }

    @Override
    public void close() {
        manager.close();
    }
}
