package dev.velu.peers;

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
import com.fasterxml.jackson.databind.JsonNode;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * libtorch on the CPU through DJL, in float32: the operations that networks are made of, each a single call of libtorch's own
 * wherever it has one. Images are {@code [N, C, H, W]}. What an operation gives belongs to the manager of its first argument.
 *
 * <p>Numbers become tensors once and are kept: a tensor that DJL makes of a number lives in Java's memory, which may be gone before
 * libtorch needs it for a gradient.
 */
final class Libtorch implements AutoCloseable {
    private final NDManager manager = engine().newBaseManager(Device.cpu());
    private final Map<Double, NDArray> numbers = new HashMap<>();

    /** Loads the library; returns its version and DJL's. */
    static String load(int threads) {
        String version = engine().getVersion();
        JniUtils.setNumThreads(threads);
        return "libtorch " + version + " through DJL " + Engine.getDjlVersion();
    }

    private static Engine engine() {
        return Engine.getEngine("PyTorch");
    }

    /** Owner of what lives as long as this. */
    NDManager manager() {
        return manager;
    }

    /** Collects what is needed for gradients until it is closed; one at a time. */
    GradientCollector collectGradients() {
        return engine().newGradientCollector();
    }

    /** A tensor of the file, in libtorch's memory. */
    NDArray tensor(TensorFile file, TensorFile.Entry entry) {
        if (!entry.dtype().equals("F32")) {
            throw new IllegalArgumentException("a tensor of type " + entry.dtype() + " is not F32");
        }
        try (Arena arena = Arena.ofConfined()) {
            ByteBuffer bytes = arena.allocate(entry.bytes(), Float.BYTES).asByteBuffer();
            file.read(entry, bytes.order(ByteOrder.nativeOrder()));
            try (NDArray borrowed = manager.create(bytes, new Shape(entry.shape()), DataType.FLOAT32)) {
                return borrowed.duplicate();
            }
        }
    }

    /** The same tensor with its channels, axis 1 of 4, beside each other in memory: libtorch's channels_last. Takes it over. */
    static NDArray channelsLast(NDArray tensor) {
        if (tensor.getShape().dimension() != 4) {
            return tensor;
        }
        try (tensor;
                NDArray turned = tensor.transpose(0, 2, 3, 1);
                NDArray copy = turned.flatten();
                NDArray shaped = copy.reshape(turned.getShape())) {
            return shaped.transpose(0, 3, 1, 2);
        }
    }

    /** A float32 scalar. */
    NDArray number(double value) {
        return numbers.computeIfAbsent(value, number -> {
            try (NDArray one = manager.ones(new Shape())) {
                return one.mul(number.floatValue());
            }
        });
    }

    /** The same memory as another leaf of the graph of gradients, with no gradient yet. */
    static NDArray leaf(NDArray tensor) {
        NDArray leaf = tensor.stopGradient();
        leaf.setRequiresGradient(true);
        return leaf;
    }

    /** @param bias may be null */
    static NDArray conv2d(
            NDArray x, NDArray weight, NDArray bias, Shape stride, Shape padding, Shape dilation, int groups) {
        return JniUtils.convolution(
                (PtNDArray) x, (PtNDArray) weight, (PtNDArray) bias, stride, padding, dilation, groups);
    }

    /** With the batch's statistics, which also update the running ones. */
    static NDArray batchNorm(
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
    static NDArray layerNorm(NDArray x, NDArray weight, NDArray bias, double eps) {
        return JniUtils.layerNorm((PtNDArray) x, weight.getShape(), (PtNDArray) weight, (PtNDArray) bias, eps);
    }

    /** @param bias may be null */
    static NDArray linear(NDArray x, NDArray weight, NDArray bias) {
        return JniUtils.linear((PtNDArray) x, (PtNDArray) weight, (PtNDArray) bias);
    }

    /** {@code softmax(scale q k^T) v} of each head; qkv {@code [N, T, 3 E]} to {@code [N, T, E]}. */
    NDArray attention(NDArray qkv, int heads, double scale) {
        long batch = qkv.getShape().get(0);
        long tokens = qkv.getShape().get(1);
        long width = qkv.getShape().get(2) / 3;
        // [3, N, heads, T, E / heads]
        NDArray split = qkv.reshape(batch, tokens, 3, heads, width / heads).transpose(2, 0, 3, 1, 4);
        // The queries are the smallest factor to scale.
        NDArray queries = split.get(0).mul(number(scale));
        NDArray scores = queries.matMul(split.get(1).transpose(0, 1, 3, 2));
        return scores.softmax(-1).matMul(split.get(2)).transpose(0, 2, 1, 3).reshape(batch, tokens, width);
    }

    static NDArray maxPool2d(NDArray x, Shape kernel, Shape stride, Shape padding) {
        return JniUtils.maxPool((PtNDArray) x, kernel, stride, padding, false);
    }

    /** Divides by the kernel's size. */
    static NDArray avgPool2d(NDArray x, Shape kernel, Shape stride, Shape padding) {
        return JniUtils.avgPool((PtNDArray) x, kernel, stride, padding, false, true);
    }

    static NDArray adaptiveAvgPool2d(NDArray x, Shape size) {
        return JniUtils.adaptiveAvgPool((PtNDArray) x, size);
    }

    static NDArray dropout(NDArray x, double probability) {
        return JniUtils.dropout((PtNDArray) x, probability, true);
    }

    static NDArray sigmoid(NDArray x) {
        return JniUtils.sigmoid((PtNDArray) x);
    }

    static NDArray cat(int axis, NDArray... tensors) {
        return NDArrays.concat(new NDList(tensors), axis);
    }

    /** A function by its label, by libtorch's own kernel where DJL gives access to it. */
    NDArray activation(String label, NDArray x) {
        return switch (label) {
            case "relu" -> JniUtils.relu((PtNDArray) x);
            case "relu6" -> x.clip(0, 6);
            case "silu" -> x.mul(sigmoid(x));
            case "gelu" -> JniUtils.gelu((PtNDArray) x);
            case "sigmoid" -> sigmoid(x);
            default ->
                throw new IllegalArgumentException(
                        "activation '" + label + "' is unknown; use one of relu, relu6, silu, gelu, sigmoid");
        };
    }

    /** The tensor {@code -onehot(labels) / rows}, whose scalar product with log-probabilities is their cross-entropy. */
    NDArray target(int[] labels, int classes) {
        float[] values = new float[labels.length * classes];
        for (int row = 0; row < labels.length; row++) {
            values[row * classes + labels[row]] = -1f / labels.length;
        }
        try (NDArray borrowed = manager.create(values, new Shape(labels.length, classes))) {
            return borrowed.duplicate();
        }
    }

    /** Mean cross-entropy. */
    static NDArray crossEntropy(NDArray logits, NDArray target) {
        return logits.logSoftmax(-1).mul(target).sum();
    }

    /** Sizes of a JSON array as DJL takes them. */
    static Shape shape(JsonNode sizes) {
        long[] values = new long[sizes.size()];
        Arrays.setAll(values, i -> sizes.get(i).asLong());
        return new Shape(values);
    }

    @Override
    public void close() {
        manager.close();
    }
}
