package dev.velu.op;

import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.TensorType;
import java.util.List;

/** Checks of operand types, shared by the operations; every message names the operation, the operand and both types. */
final class Types {
    private Types() {}

    /** Whether operations compute in a dtype: F32 and BF16. */
    static boolean isFloating(DType dtype) {
        return dtype == DType.F32 || dtype == DType.BF16;
    }

    /** A present operand of a floating type and a rank; its type. */
    static TensorType floating(String operation, List<TensorType> inputs, int index, String operand, int rank) {
        TensorType type = present(operation, inputs, index, operand);
        if (!isFloating(type.dtype())) {
            throw new IllegalArgumentException(
                    operation + ": " + operand + " has dtype " + type.dtype() + ", expected F32 or BF16");
        }
        if (rank >= 0 && type.shape().rank() != rank) {
            throw new IllegalArgumentException(
                    operation + ": " + operand + " has shape " + type.shape() + ", expected " + rank + " axes");
        }
        return type;
    }

    /** A present operand of exactly this type. */
    static void exactly(
            String operation, List<TensorType> inputs, int index, String operand, DType dtype, long... sizes) {
        same(operation, present(operation, inputs, index, operand), operand, new TensorType(dtype, Shape.of(sizes)));
    }

    /** An operand that is absent or of exactly this type. */
    static void optional(
            String operation, List<TensorType> inputs, int index, String operand, DType dtype, long... sizes) {
        if (inputs.get(index) != null) {
            exactly(operation, inputs, index, operand, dtype, sizes);
        }
    }

    /** A present operand of exactly this type. */
    static void like(String operation, List<TensorType> inputs, int index, String operand, TensorType expected) {
        same(operation, present(operation, inputs, index, operand), operand, expected);
    }

    /** An operand that is absent or of exactly this type. */
    static void optionalLike(
            String operation, List<TensorType> inputs, int index, String operand, TensorType expected) {
        if (inputs.get(index) != null) {
            like(operation, inputs, index, operand, expected);
        }
    }

    /** The operand has the dtype of another; shapes may differ. */
    static void sameDtype(String operation, TensorType actual, String operand, TensorType other, String otherOperand) {
        if (actual.dtype() != other.dtype()) {
            throw new IllegalArgumentException(operation + ": " + operand + " is " + actual + ", expected the dtype "
                    + other.dtype() + " of " + otherOperand + " " + other);
        }
    }

    static void same(String operation, TensorType actual, String operand, TensorType expected) {
        if (!actual.equals(expected)) {
            throw new IllegalArgumentException(operation + ": " + operand + " is " + actual + ", expected " + expected);
        }
    }

    /** A pitch as descriptors have it: 0 for a dense tensor. */
    static long pitch(TensorType type) {
        return type.isDense() ? 0 : type.pitch();
    }

    static TensorType present(String operation, List<TensorType> inputs, int index, String operand) {
        TensorType type = inputs.get(index);
        if (type == null) {
            throw new IllegalArgumentException(operation + ": " + operand + " is missing");
        }
        return type;
    }
}
