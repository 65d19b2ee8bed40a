package dev.velu.selftest.oracle;

import dev.velu.optim.GradientClip;
import dev.velu.optim.OptimizerAlgorithm;

/** The update rules of torch.optim, step after step, over parameters that it keeps. */
public final class OptimizerOracle {
    private final OptimizerAlgorithm algorithm;
    private final GradientClip clip;
    private final double[] parameters;
    private final double[] first;
    private final double[] second;
    private final double[] moved;
    private int step;
    private double muProduct = 1;

    public OptimizerOracle(OptimizerAlgorithm algorithm, GradientClip clip, double[] parameters) {
        this.algorithm = algorithm;
        this.clip = clip;
        this.parameters = parameters.clone();
        this.first = new double[parameters.length];
        this.second = new double[parameters.length];
        this.moved = new double[parameters.length];
    }

    public double[] parameters() {
        return parameters;
    }

    /** The momentum buffer or first moment. */
    public double[] first() {
        return first;
    }

    /** The second moment. */
    public double[] second() {
        return second;
    }

    /** Sum of the absolute changes of every parameter so far. */
    public double[] moved() {
        return moved;
    }

    /** sqrt(sum(gradients^2)). */
    public static double norm(double[] gradients) {
        double sum = 0;
        for (double gradient : gradients) {
            sum += gradient * gradient;
        }
        return Math.sqrt(sum);
    }

    public void step(double learningRate, double[] gradients) {
        step++;
        double scale = clip.maxNorm() > 0 ? Math.min(1, clip.maxNorm() / (norm(gradients) + 1e-6)) : 1;
        double mu = 0;
        double nextMu = 0;
        if (algorithm instanceof OptimizerAlgorithm.Nadam nadam) {
            mu = nadam.beta1() * (1 - 0.5 * Math.pow(0.96, step * (double) nadam.momentumDecay()));
            nextMu = nadam.beta1() * (1 - 0.5 * Math.pow(0.96, (step + 1) * (double) nadam.momentumDecay()));
            muProduct *= mu;
        }
        for (int i = 0; i < parameters.length; i++) {
            double gradient = gradients[i] * scale;
            if (clip.value() > 0) {
                gradient = Math.min(Math.max(gradient, -clip.value()), clip.value());
            }
            double before = parameters[i];
            parameters[i] =
                    switch (algorithm) {
                        case OptimizerAlgorithm.Sgd sgd -> sgd(sgd, i, learningRate, gradient);
                        case OptimizerAlgorithm.Adam adam -> before
                                - learningRate
                                        * adam(
                                                i,
                                                gradient + adam.weightDecay() * before,
                                                adam.beta1(),
                                                adam.beta2(),
                                                adam.eps());
                        case OptimizerAlgorithm.AdamW adam -> before * (1 - learningRate * adam.weightDecay())
                                - learningRate * adam(i, gradient, adam.beta1(), adam.beta2(), adam.eps());
                        case OptimizerAlgorithm.Nadam nadam -> nadam(nadam, i, learningRate, gradient, mu, nextMu);
                    };
            moved[i] += Math.abs(parameters[i] - before);
        }
    }

    private double sgd(OptimizerAlgorithm.Sgd sgd, int i, double learningRate, double gradient) {
        double direction = gradient + sgd.weightDecay() * parameters[i];
        if (sgd.momentum() > 0) {
            first[i] = sgd.momentum() * first[i] + direction;
            direction = sgd.nesterov() ? direction + sgd.momentum() * first[i] : first[i];
        }
        return parameters[i] - learningRate * direction;
    }

    private double adam(int i, double gradient, double beta1, double beta2, double eps) {
        moments(i, gradient, beta1, beta2);
        double mean = first[i] / (1 - Math.pow(beta1, step));
        double square = second[i] / (1 - Math.pow(beta2, step));
        return mean / (Math.sqrt(square) + eps);
    }

    private double nadam(
            OptimizerAlgorithm.Nadam nadam, int i, double learningRate, double gradient, double mu, double nextMu) {
        double decayed = gradient + nadam.weightDecay() * parameters[i];
        moments(i, decayed, nadam.beta1(), nadam.beta2());
        double root = Math.sqrt(second[i] / (1 - Math.pow(nadam.beta2(), step))) + nadam.eps();
        return parameters[i]
                - learningRate * (1 - mu) / (1 - muProduct) * decayed / root
                - learningRate * nextMu / (1 - muProduct * nextMu) * first[i] / root;
    }

    private void moments(int i, double gradient, double beta1, double beta2) {
        first[i] = beta1 * first[i] + (1 - beta1) * gradient;
        second[i] = beta2 * second[i] + (1 - beta2) * gradient * gradient;
    }
}
