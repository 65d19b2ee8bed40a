package dev.velu.selftest;

import dev.velu.tensor.DType;
import java.util.Arrays;
import java.util.Random;
import java.util.function.ToDoubleFunction;

/**
 * Compares a gradient that a device computed with central differences of a reference's loss: along two random
 * directions and at three elements.
 */
final class DifferenceQuotient {
    private static final double STEP = 1e-5;
    private static final int DIRECTIONS = 2;
    private static final int ELEMENTS = 3;

    private DifferenceQuotient() {}

    /**
     * In float32 only: in BF16 the rounding of a gradient hides what a quotient could show.
     *
     * @param point where the gradient was taken, at least a few steps from every kink
     * @param loss the reference's float64 loss as a function of the point
     * @param magnitude the scale of every element of the gradient
     */
    static void compare(
            Trial trial,
            String what,
            float[] gradient,
            float[] point,
            double[] magnitude,
            ToDoubleFunction<double[]> loss) {
        if (trial.dtype() != DType.F32) {
            return;
        }
        Random random = new Random(point.length);
        double[] direction = new double[point.length];
        for (int n = 0; n < DIRECTIONS; n++) {
            for (int i = 0; i < direction.length; i++) {
                direction[i] = random.nextGaussian();
            }
            compare(trial, what + " along direction " + n, gradient, point, magnitude, direction, loss);
        }
        for (int n = 0; n < Math.min(ELEMENTS, point.length); n++) {
            int index = random.nextInt(point.length);
            Arrays.fill(direction, 0);
            direction[index] = 1;
            compare(trial, what + " at element " + index, gradient, point, magnitude, direction, loss);
        }
    }

    private static void compare(
            Trial trial,
            String what,
            float[] gradient,
            float[] point,
            double[] magnitude,
            double[] direction,
            ToDoubleFunction<double[]> loss) {
        double slope = 0;
        double scale = 0;
        double[] ahead = new double[point.length];
        double[] behind = new double[point.length];
        for (int i = 0; i < point.length; i++) {
            slope += gradient[i] * direction[i];
            scale += Math.abs(magnitude[i] * direction[i]);
            ahead[i] = point[i] + STEP * direction[i];
            behind[i] = point[i] - STEP * direction[i];
        }
        double quotient = (loss.applyAsDouble(ahead) - loss.applyAsDouble(behind)) / (2 * STEP);
        trial.compare(what, slope, quotient, Tolerances.DIFFERENCE_QUOTIENT.at(scale));
    }
}
