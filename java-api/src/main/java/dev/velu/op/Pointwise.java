package dev.velu.op;

import dev.velu.onnx.OnnxGraph;
import java.util.List;
import java.util.Locale;

/** Activation functions of one element; the codes are those of {@code VELU_ACTIVATION_*} in {@code velu.h}. */
public enum Pointwise implements ActivationFunction {
    /** {@code max(x, 0)}. */
    RELU(1),
    /** {@code min(max(x, 0), 6)}. */
    RELU6(2),
    /** {@code x sigmoid(x)}: Swish with beta 1. */
    SILU(3),
    /** {@code x Phi(x)}, exact. */
    GELU(4),
    /** {@code 1 / (1 + exp(-x))}: gates, such as those of squeeze-and-excitation, not layers. */
    SIGMOID(6);

    private final int code;

    Pointwise(int code) {
        this.code = code;
    }

    @Override
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    @Override
    public int code() {
        return code;
    }

    /** Adds the nodes that compute it from x; the tensor of the result. */
    String toOnnx(String x, OnnxGraph onnx) {
        return switch (this) {
            case RELU -> onnx.node("Relu", List.of(x));
            case RELU6 -> onnx.node("Clip", List.of(x, onnx.constant(0), onnx.constant(6)));
            case SILU -> onnx.node("Mul", List.of(x, onnx.node("Sigmoid", List.of(x))));
            case GELU -> {
                String erf =
                        onnx.node("Erf", List.of(onnx.node("Mul", List.of(x, onnx.constant((float) Math.sqrt(0.5))))));
                String twice = onnx.node("Mul", List.of(x, onnx.node("Add", List.of(erf, onnx.constant(1)))));
                yield onnx.node("Mul", List.of(twice, onnx.constant(0.5f)));
            }
            case SIGMOID -> onnx.node("Sigmoid", List.of(x));
        };
    }
}
