package dev.velu.nn;

import dev.velu.tensor.DType;
import dev.velu.tensor.TensorType;

/**
 * A named tensor that a network owns, as it is laid out in memory.
 *
 * @param name torchvision's name, e.g. {@code layer1.0.conv1.weight}
 * @param type F32, or I64 for a buffer that counts
 * @param role whether the optimizer updates it
 * @param layout how files order its axes
 * @param initializer its first values
 */
public record Parameter(String name, TensorType type, Role role, Layout layout, Initializer initializer) {
    /** What a tensor of a network is for. */
    public enum Role {
        /** Trained by the optimizer. */
        WEIGHT,
        /** Trained by the optimizer, but belongs to an activation function (VeLU's lambda), not to the architecture. */
        ACTIVATION,
        /** Kept but not trained: running statistics and counters. */
        BUFFER
    }

    /** Order of the axes in memory against their order in files. */
    public enum Layout {
        /** The same. */
        PLAIN,
        /** {@code [O, H, W, I]} in memory, {@code [O, I, H, W]} in files: convolution weights. */
        CONVOLUTION
    }

    public Parameter {
        if (role != Role.BUFFER && type.dtype() != DType.F32) {
            throw new IllegalArgumentException(
                    "parameter " + name + " has dtype " + type.dtype() + "; parameters are F32");
        }
        if (layout == Layout.CONVOLUTION && type.shape().rank() != 4) {
            throw new IllegalArgumentException(
                    "parameter " + name + " of shape " + type.shape() + " is not a 2-D convolution's");
        }
    }

    public boolean trainable() {
        return role != Role.BUFFER;
    }
}
