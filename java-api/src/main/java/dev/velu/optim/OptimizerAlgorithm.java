package dev.velu.optim;

import dev.velu.bindings.VeluNative;

/**
 * An update rule with its constants. Formulas, constant names and defaults are those of {@code torch.optim} (SGD, Adam,
 * AdamW, NAdam); the learning rate is given at every step. Constructors throw {@link IllegalArgumentException} for a
 * constant outside its range.
 */
public sealed interface OptimizerAlgorithm {
    /** Name on the command line and in files: {@code sgd}, {@code adam}, {@code adamw} or {@code nadam}. */
    String label();

    /** Value of the descriptor's {@code algorithm} field. */
    int code();

    /** Number of state buffers, each as large as the parameters: 0, 1 (momentum) or 2 (first and second moment). */
    int states();

    /** L2 penalty added to the gradient, or decoupled decay ({@link AdamW}); zero or more. */
    float weightDecay();

    /** The same rule with another weight decay, zero or more. */
    OptimizerAlgorithm withWeightDecay(float decay);

    /**
     * Stochastic gradient descent.
     *
     * @param momentum in [0, 1)
     * @param nesterov look ahead along the momentum; needs momentum &gt; 0
     */
    record Sgd(float momentum, boolean nesterov, float weightDecay) implements OptimizerAlgorithm {
        /**
         * Checks the constants.
         *
         * @throws IllegalArgumentException if momentum is outside [0, 1), weight decay is negative, or Nesterov's
         *     momentum is asked for without momentum
         */
        public Sgd {
            fraction("momentum", momentum);
            notNegative("weight decay", weightDecay);
            if (nesterov && momentum == 0) {
                throw new IllegalArgumentException("Nesterov momentum needs momentum > 0; momentum is 0");
            }
        }

        /** Without momentum or weight decay. */
        public static Sgd defaults() {
            return new Sgd(0, false, 0);
        }

        @Override
        public Sgd withWeightDecay(float decay) {
            return new Sgd(momentum, nesterov, decay);
        }

        @Override
        public String label() {
            return "sgd";
        }

        @Override
        public int code() {
            return VeluNative.VELU_OPTIMIZER_SGD();
        }

        @Override
        public int states() {
            return momentum > 0 ? 1 : 0;
        }
    }

    /**
     * Kingma and Ba, 2015; weight decay is added to the gradient.
     *
     * @param beta1 in [0, 1)
     * @param beta2 in [0, 1)
     * @param eps positive
     */
    record Adam(float beta1, float beta2, float eps, float weightDecay) implements OptimizerAlgorithm {
        /**
         * Checks the constants.
         *
         * @throws IllegalArgumentException if beta1 or beta2 is outside [0, 1), or eps or weight decay outside its
         *     range
         */
        public Adam {
            moments(beta1, beta2, eps, weightDecay);
        }

        /** 0.9, 0.999, 1e-8, no weight decay. */
        public static Adam defaults() {
            return new Adam(0.9f, 0.999f, 1e-8f, 0);
        }

        @Override
        public Adam withWeightDecay(float decay) {
            return new Adam(beta1, beta2, eps, decay);
        }

        @Override
        public String label() {
            return "adam";
        }

        @Override
        public int code() {
            return VeluNative.VELU_OPTIMIZER_ADAM();
        }

        @Override
        public int states() {
            return 2;
        }
    }

    /**
     * Loshchilov and Hutter, 2019: Adam with decoupled weight decay.
     *
     * @param beta1 in [0, 1)
     * @param beta2 in [0, 1)
     * @param eps positive
     */
    record AdamW(float beta1, float beta2, float eps, float weightDecay) implements OptimizerAlgorithm {
        /**
         * Checks the constants.
         *
         * @throws IllegalArgumentException if beta1 or beta2 is outside [0, 1), or eps or weight decay outside its
         *     range
         */
        public AdamW {
            moments(beta1, beta2, eps, weightDecay);
        }

        /** 0.9, 0.999, 1e-8, weight decay 0.01. */
        public static AdamW defaults() {
            return new AdamW(0.9f, 0.999f, 1e-8f, 0.01f);
        }

        @Override
        public AdamW withWeightDecay(float decay) {
            return new AdamW(beta1, beta2, eps, decay);
        }

        @Override
        public String label() {
            return "adamw";
        }

        @Override
        public int code() {
            return VeluNative.VELU_OPTIMIZER_ADAMW();
        }

        @Override
        public int states() {
            return 2;
        }
    }

    /**
     * Dozat, 2016: Adam with Nesterov momentum; weight decay is added to the gradient.
     *
     * @param beta1 in [0, 1)
     * @param beta2 in [0, 1)
     * @param eps positive
     * @param momentumDecay zero or more
     */
    record Nadam(float beta1, float beta2, float eps, float weightDecay, float momentumDecay)
            implements OptimizerAlgorithm {
        /**
         * Checks the constants.
         *
         * @throws IllegalArgumentException if beta1 or beta2 is outside [0, 1), or eps or a decay outside its range
         */
        public Nadam {
            moments(beta1, beta2, eps, weightDecay);
            notNegative("momentum decay", momentumDecay);
        }

        /** 0.9, 0.999, 1e-8, no weight decay, momentum decay 0.004. */
        public static Nadam defaults() {
            return new Nadam(0.9f, 0.999f, 1e-8f, 0, 0.004f);
        }

        @Override
        public Nadam withWeightDecay(float decay) {
            return new Nadam(beta1, beta2, eps, decay, momentumDecay);
        }

        @Override
        public String label() {
            return "nadam";
        }

        @Override
        public int code() {
            return VeluNative.VELU_OPTIMIZER_NADAM();
        }

        @Override
        public int states() {
            return 2;
        }
    }

    private static void moments(float beta1, float beta2, float eps, float weightDecay) {
        fraction("beta1", beta1);
        fraction("beta2", beta2);
        if (!(eps > 0 && Float.isFinite(eps))) {
            throw new IllegalArgumentException("eps " + eps + " is not positive and finite");
        }
        notNegative("weight decay", weightDecay);
    }

    private static void fraction(String name, float value) {
        if (!(value >= 0 && value < 1)) {
            throw new IllegalArgumentException(name + " " + value + " is outside [0, 1)");
        }
    }

    private static void notNegative(String name, float value) {
        if (!(value >= 0 && Float.isFinite(value))) {
            throw new IllegalArgumentException(name + " " + value + " is not a finite number of zero or more");
        }
    }
}
