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
    private final double[] firstMagnitude;
    private final double[] secondMagnitude;
    private final double[] changeMagnitude;
    private int step;
    private double muProduct = 1;

    public OptimizerOracle(OptimizerAlgorithm algorithm, GradientClip clip, double[] parameters) {
        this.algorithm = algorithm;
        this.clip = clip;
        this.parameters = parameters.clone();
        this.first = new double[parameters.length];
        this.second = new double[parameters.length];
        this.firstMagnitude = new double[parameters.length];
        this.secondMagnitude = new double[parameters.length];
        this.changeMagnitude = new double[parameters.length];
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

    /** {@link #first} of the absolute terms: |gradient| + weight decay |parameter|. */
    public double[] firstMagnitude() {
        return firstMagnitude;
    }

    /** {@link #second} of the same terms. */
    public double[] secondMagnitude() {
        return secondMagnitude;
    }

    /** Sum over the steps of every parameter's change, had all its terms had one sign. */
    public double[] changeMagnitude() {
        return changeMagnitude;
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
        double[] clipped = gradients.clone();
        for (int i = 0; i < clipped.length; i++) {
            clipped[i] *= scale;
            if (clip.value() > 0) {
                clipped[i] = Math.min(Math.max(clipped[i], -clip.value()), clip.value());
            }
        }
        switch (algorithm) {
            case OptimizerAlgorithm.Sgd sgd -> sgd(sgd, learningRate, clipped);
            case OptimizerAlgorithm.Adam adam -> {
                moments(clipped, adam.beta1(), adam.beta2(), adam.weightDecay());
                adam(learningRate, adam.beta1(), adam.beta2(), adam.eps());
            }
            case OptimizerAlgorithm.AdamW adam -> {
                moments(clipped, adam.beta1(), adam.beta2(), 0);
                for (int i = 0; i < parameters.length; i++) {
                    changeMagnitude[i] += Math.abs(learningRate * adam.weightDecay() * parameters[i]);
                    parameters[i] *= 1 - learningRate * adam.weightDecay();
                }
                adam(learningRate, adam.beta1(), adam.beta2(), adam.eps());
            }
            case OptimizerAlgorithm.Nadam nadam -> nadam(nadam, learningRate, clipped);
        }
    }

    private void sgd(OptimizerAlgorithm.Sgd sgd, double learningRate, double[] gradients) {
        double momentum = sgd.momentum();
        for (int i = 0; i < parameters.length; i++) {
            double decay = sgd.weightDecay() * parameters[i];
            double direction = gradients[i] + decay;
            double magnitude = Math.abs(gradients[i]) + Math.abs(decay);
            if (momentum > 0) {
                first[i] = momentum * first[i] + direction;
                firstMagnitude[i] = momentum * firstMagnitude[i] + magnitude;
                direction = sgd.nesterov() ? direction + momentum * first[i] : first[i];
                magnitude = sgd.nesterov() ? magnitude + momentum * firstMagnitude[i] : firstMagnitude[i];
            }
            parameters[i] -= learningRate * direction;
            changeMagnitude[i] += learningRate * magnitude;
        }
    }

    private void moments(double[] gradients, double beta1, double beta2, double weightDecay) {
        for (int i = 0; i < parameters.length; i++) {
            double gradient = gradients[i] + weightDecay * parameters[i];
            double magnitude = Math.abs(gradients[i]) + Math.abs(weightDecay * parameters[i]);
            first[i] = beta1 * first[i] + (1 - beta1) * gradient;
            second[i] = beta2 * second[i] + (1 - beta2) * gradient * gradient;
            firstMagnitude[i] = beta1 * firstMagnitude[i] + (1 - beta1) * magnitude;
            secondMagnitude[i] = beta2 * secondMagnitude[i] + (1 - beta2) * magnitude * magnitude;
        }
    }

    private void adam(double learningRate, double beta1, double beta2, double eps) {
        double rate = learningRate / (1 - Math.pow(beta1, step));
        double correction2 = 1 - Math.pow(beta2, step);
        for (int i = 0; i < parameters.length; i++) {
            double denominator = Math.sqrt(second[i] / correction2) + eps;
            parameters[i] -= rate * first[i] / denominator;
            changeMagnitude[i] += rate * firstMagnitude[i] / denominator;
        }
    }

    private void nadam(OptimizerAlgorithm.Nadam nadam, double learningRate, double[] gradients) {
        double decay = nadam.momentumDecay();
        double mu = nadam.beta1() * (1 - 0.5 * Math.pow(0.96, step * decay));
        double nextMu = nadam.beta1() * (1 - 0.5 * Math.pow(0.96, (step + 1) * decay));
        muProduct *= mu;
        double gradientRate = learningRate * (1 - mu) / (1 - muProduct);
        double momentRate = learningRate * nextMu / (1 - muProduct * nextMu);
        double correction2 = 1 - Math.pow(nadam.beta2(), step);
        moments(gradients, nadam.beta1(), nadam.beta2(), nadam.weightDecay());
        for (int i = 0; i < parameters.length; i++) {
            double decayed = nadam.weightDecay() * parameters[i];
            double denominator = Math.sqrt(second[i] / correction2) + nadam.eps();
            double magnitude = Math.abs(gradients[i]) + Math.abs(decayed);
            parameters[i] -= (gradientRate * (gradients[i] + decayed) + momentRate * first[i]) / denominator;
            changeMagnitude[i] += (gradientRate * magnitude + momentRate * firstMagnitude[i]) / denominator;
        }
    }
}
