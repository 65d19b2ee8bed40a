package dev.velu.models.libtorch;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import java.util.Locale;

/**
 * How far a tensor is from its reference.
 *
 * @param norm 2-norm of the difference over that of the scale
 * @param max largest difference over the largest of the scale
 */
public record Deviation(double norm, double max) {
    private static final long ELEMENTS_AT_ONCE = 1 << 18;

    /** A tensor in blocks of rows, so that large ones need no memory for what is computed of them. */
    public interface Blocks {
        /** Float64; belongs to the manager. */
        NDArray get(NDManager manager, NDIndex rows);

        /** The blocks of a tensor. */
        static Blocks of(NDArray tensor) {
            return (manager, rows) -> tensor.get(manager, rows);
        }
    }

    /** Relative to the reference itself. */
    public static Deviation of(NDArray actual, NDArray reference) {
        return of(actual, reference, reference);
    }

    /**
     * Relative to a scale, for sums that cancel: the sums of their absolute terms.
     *
     * @param actual float32 or float64, of the reference's shape
     */
    public static Deviation of(NDArray actual, NDArray reference, NDArray scale) {
        if (!actual.getShape().equals(reference.getShape())) {
            throw new IllegalArgumentException(
                    "shape " + actual.getShape() + " differs from the reference's " + reference.getShape());
        }
        return reference.isScalar()
                ? of(actual.reshape(1), Blocks.of(reference.reshape(1)), Blocks.of(scale.reshape(1)))
                : of(actual, Blocks.of(reference), Blocks.of(scale));
    }

    /** As for whole tensors; actual has at least one axis. */
    public static Deviation of(NDArray actual, Blocks reference, Blocks scale) {
        long rows = actual.getShape().get(0);
        long step = Math.max(1, ELEMENTS_AT_ONCE / (actual.size() / rows));
        double squaredDifference = 0;
        double squaredScale = 0;
        double largestDifference = 0;
        double largestScale = 0;
        for (long row = 0; row < rows; row += step) {
            NDIndex block = new NDIndex().addSliceDim(row, Math.min(rows, row + step));
            try (NDManager manager = actual.getManager().newSubManager()) {
                NDArray wide = actual.get(manager, block).toType(DataType.FLOAT64, true);
                NDArray difference = wide.sub(reference.get(manager, block));
                squaredDifference += squares(difference);
                largestDifference = Math.max(largestDifference, largest(difference));
                NDArray measure = scale.get(manager, block);
                squaredScale += squares(measure);
                largestScale = Math.max(largestScale, largest(measure));
            }
        }
        return new Deviation(
                ratio(Math.sqrt(squaredDifference), Math.sqrt(squaredScale)), ratio(largestDifference, largestScale));
    }

    /** Whether both are at most the limit. NaN is not. */
    public boolean within(double limit) {
        return norm <= limit && max <= limit;
    }

    private static double squares(NDArray x) {
        return x.square().sum().getDouble();
    }

    private static double largest(NDArray x) {
        return x.abs().max().getDouble();
    }

    private static double ratio(double difference, double scale) {
        return difference == 0 ? 0 : difference / scale;
    }

    @Override
    public String toString() {
        return String.format(Locale.ROOT, "%.2e in norm, %.2e at most", norm, max);
    }
}
