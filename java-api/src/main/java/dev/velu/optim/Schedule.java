package dev.velu.optim;

/**
 * The learning rate as a function of the training step. Pure: nothing is kept, so a resumed run continues exactly.
 *
 * <p>Steps count from 0 over the whole run; an epoch has {@code stepsPerEpoch} of them.
 */
public sealed interface Schedule {
    /**
     * The rate for one step.
     *
     * @param base the rate that the schedule scales
     * @param step 0 or more; steps past the end keep the last rate
     * @param stepsPerEpoch positive
     * @param totalSteps positive
     * @throws IllegalArgumentException for a value outside its range
     */
    default double learningRate(double base, long step, long stepsPerEpoch, long totalSteps) {
        if (!(base >= 0) || Double.isInfinite(base)) {
            throw new IllegalArgumentException("learning rate " + base + " is not zero or more and finite");
        }
        if (step < 0) {
            throw new IllegalArgumentException("step " + step + " is negative; steps count from 0");
        }
        if (stepsPerEpoch < 1) {
            throw new IllegalArgumentException("steps per epoch " + stepsPerEpoch + " is not positive");
        }
        if (totalSteps < 1) {
            throw new IllegalArgumentException("total steps " + totalSteps + " is not positive");
        }
        return base * factor(step, stepsPerEpoch, totalSteps);
    }

    /** What the base rate is multiplied by; arguments as in {@link #learningRate}, already checked. */
    double factor(long step, long stepsPerEpoch, long totalSteps);

    /** Always the base rate. */
    record Constant() implements Schedule {
        @Override
        public double factor(long step, long stepsPerEpoch, long totalSteps) {
            return 1;
        }
    }

    /**
     * Multiplied by a factor every so many epochs: torch's {@code StepLR}.
     *
     * @param stepSize epochs between two changes, positive
     * @param factor in (0, 1]
     */
    record Step(int stepSize, double factor) implements Schedule {
        /**
         * Checks the constants.
         *
         * @throws IllegalArgumentException if the step size is not positive or the factor is outside (0, 1]
         */
        public Step {
            if (stepSize < 1) {
                throw new IllegalArgumentException("step size of " + stepSize + " epochs is not positive");
            }
            if (!(factor > 0 && factor <= 1)) {
                throw new IllegalArgumentException("step factor " + factor + " is not in (0, 1]");
            }
        }

        @Override
        public double factor(long step, long stepsPerEpoch, long totalSteps) {
            return Math.pow(factor, Math.floorDiv(step / stepsPerEpoch, stepSize));
        }
    }

    /**
     * Half a cosine from the base rate at the first step to a fraction of it after the last (Loshchilov and Hutter
     * 2017).
     *
     * @param finalFraction in [0, 1]
     */
    record Cosine(double finalFraction) implements Schedule {
        /**
         * Checks the constants.
         *
         * @throws IllegalArgumentException if the final fraction is outside [0, 1]
         */
        public Cosine {
            if (!(finalFraction >= 0 && finalFraction <= 1)) {
                throw new IllegalArgumentException("cosine final fraction " + finalFraction + " is not in [0, 1]");
            }
        }

        @Override
        public double factor(long step, long stepsPerEpoch, long totalSteps) {
            double progress = Math.min(1, (double) step / totalSteps);
            return finalFraction + (1 - finalFraction) * (1 + Math.cos(Math.PI * progress)) / 2;
        }
    }

    /**
     * A straight line up to the inner schedule's first rate, which the last warm-up step reaches; then the inner
     * schedule from its beginning over the steps that are left.
     *
     * @param steps 0 or more; a run shorter than this stays on the line
     * @param inner what follows, not another warm-up
     */
    record WarmUp(long steps, Schedule inner) implements Schedule {
        /**
         * Checks the constants.
         *
         * @throws IllegalArgumentException if the number of steps is negative, or the schedule behind is none or a
         *     warm-up itself
         */
        public WarmUp {
            if (steps < 0) {
                throw new IllegalArgumentException("warm-up of " + steps + " steps is negative; 0 is none");
            }
            if (inner == null || inner instanceof WarmUp) {
                throw new IllegalArgumentException(
                        "the schedule after a warm-up is " + inner + "; use constant, step or cosine");
            }
        }

        @Override
        public double factor(long step, long stepsPerEpoch, long totalSteps) {
            long rest = Math.max(1, totalSteps - steps);
            if (step < steps) {
                return inner.factor(0, stepsPerEpoch, rest) * (step + 1) / steps;
            }
            return inner.factor(step - steps, stepsPerEpoch, rest);
        }
    }
}
