package dev.velu.peers;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.List;

/**
 * One operation of a training step by libtorch, always of the same random tensors. It is described as ours is: images are {@code [N,
 * H, W, C]} and convolutions' weights {@code [O, kh, kw, I]} there, and become libtorch's own shapes here.
 *
 * @param operation as in velu.h, without {@code velu_}, e.g. {@code conv2d_backward_data}
 * @param inputs shapes in the operation's order; null for an absent one
 * @param outputs likewise
 * @param attributes of the operation by name, e.g. {@code stride_height}; an activation is its label
 * @param velu constants, where the operation contains VeLU; otherwise null
 */
public record OperationTask(
        String operation, List<long[]> inputs, List<long[]> outputs, JsonNode attributes, VeluConstants velu)
        implements Task {
    @Override
    public String load(int threads) {
        return Libtorch.load(threads);
    }

    @Override
    public Work prepare(int threads) {
        Libtorch torch = new Libtorch();
        try {
            return new LibtorchOperation(this, torch).work();
        } catch (RuntimeException e) {
            torch.close();
            throw e;
        }
    }

    boolean has(int input) {
        return input < inputs.size() && inputs.get(input) != null;
    }

    long[] input(int index) {
        long[] shape = inputs.get(index);
        if (shape == null) {
            throw new IllegalArgumentException(operation + ": input " + index + " is missing");
        }
        return shape;
    }

    long[] output(int index) {
        return outputs.get(index);
    }

    long number(String name) {
        return attribute(name).asLong();
    }

    double real(String name) {
        return attribute(name).asDouble();
    }

    /** Label of the activation that the operation applies; null if it applies none. */
    String activation() {
        JsonNode label = attributes.get("activation");
        return label == null || label.isNull() ? null : label.asText();
    }

    private JsonNode attribute(String name) {
        JsonNode value = attributes.get(name);
        if (value == null) {
            throw new IllegalArgumentException(operation + ": attribute " + name + " is missing");
        }
        return value;
    }

    @Override
    public String toString() {
        return operation + inputs.stream().map(Arrays::toString).toList();
    }
}
