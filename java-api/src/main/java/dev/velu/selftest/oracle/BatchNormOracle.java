package dev.velu.selftest.oracle;

import dev.velu.op.ActivationFunction;
import dev.velu.op.Pointwise;
import dev.velu.op.VeluParameters;

/**
 * Batch normalization over {@code x[rows][channels]} with what follows it:
 * {@code y = f(weight (x - mean) / sqrt(var + eps) + bias + residual)}.
 *
 * @param momentum weight of the batch in the running statistics
 * @param activation f, or null for none
 * @param lambda scale of VeLU's output
 * @param w2Weight weight of VeLU's W2 in the loss
 */
public record BatchNormOracle(
        int rows,
        int channels,
        double eps,
        double momentum,
        ActivationFunction activation,
        double lambda,
        double w2Weight) {

    /**
     * @param z the activation's input
     * @param zMagnitude sum of the absolute terms of z
     * @param moments of VeLU, else null
     */
    public record Forward(
            double[] y, double[] z, double[] zMagnitude, double[] mean, double[] invStd, VeluOracle.Forward moments) {}

    /** The magnitudes are those of the gradients' terms. */
    public record Backward(
            double[] dx,
            double[] dxMagnitude,
            double[] dresidual,
            double[] dresidualMagnitude,
            double[] dweight,
            double[] dweightMagnitude,
            double[] dbias,
            double[] dbiasMagnitude,
            double dlambda,
            double dlambdaMagnitude) {}

    /** With the batch's own statistics. residual may be null. */
    public Forward training(double[] x, double[] weight, double[] bias, double[] residual) {
        return apply(x, weight, bias, residual, mean(x), variance(x));
    }

    /** With given statistics. residual may be null. */
    public Forward inference(
            double[] x, double[] weight, double[] bias, double[] residual, double[] mean, double[] variance) {
        return apply(x, weight, bias, residual, mean, variance);
    }

    /** running after one training step. */
    public double[] runningMean(double[] x, double[] running) {
        return blend(running, mean(x), 1);
    }

    /** running after one training step: the batch's variance enters unbiased. */
    public double[] runningVariance(double[] x, double[] running) {
        return blend(running, variance(x), rows / (rows - 1.0));
    }

    /** Gradient of {@code sum(dy y) + w2Weight W2} in training. residual may be null; dresidual is dz in any case. */
    public Backward backward(double[] x, double[] dy, double[] weight, double[] bias, double[] residual) {
        Forward forward = training(x, weight, bias, residual);
        double[] dz = dy.clone();
        double[] dzMagnitude = absolute(dy);
        double dlambda = 0;
        double dlambdaMagnitude = 0;
        switch (activation) {
            case null -> {}
            case Pointwise function -> {
                for (int i = 0; i < dz.length; i++) {
                    dz[i] *= ActivationOracle.derivative(function, forward.z[i]);
                }
            }
            case VeluParameters parameters -> {
                VeluOracle.Backward velu =
                        new VeluOracle(parameters, lambda).backward(forward.z, dy, channels, w2Weight);
                dz = velu.dx();
                dzMagnitude = velu.dxMagnitude();
                dlambda = velu.dlambda();
                dlambdaMagnitude = velu.dlambdaMagnitude();
            }
        }
        double[] dx = new double[x.length];
        double[] dxMagnitude = new double[x.length];
        double[] dweight = new double[channels];
        double[] dweightMagnitude = new double[channels];
        double[] dbias = new double[channels];
        double[] dbiasMagnitude = new double[channels];
        for (int c = 0; c < channels; c++) {
            double mean = forward.mean[c];
            double invStd = forward.invStd[c];
            double meanMagnitude = 0;
            for (int i = c; i < x.length; i += channels) {
                meanMagnitude += Math.abs(x[i]) / rows;
            }
            for (int i = c; i < x.length; i += channels) {
                dbias[c] += dz[i];
                dbiasMagnitude[c] += dzMagnitude[i];
                dweight[c] += dz[i] * (x[i] - mean) * invStd;
                dweightMagnitude[c] += dzMagnitude[i] * (Math.abs(x[i]) + meanMagnitude) * invStd;
            }
            for (int i = c; i < x.length; i += channels) {
                double normalized = (x[i] - mean) * invStd;
                double normalizedMagnitude = (Math.abs(x[i]) + meanMagnitude) * invStd;
                dx[i] = weight[c] * invStd * (dz[i] - dbias[c] / rows - normalized * dweight[c] / rows);
                dxMagnitude[i] = Math.abs(weight[c])
                        * invStd
                        * (dzMagnitude[i]
                                + dbiasMagnitude[c] / rows
                                + normalizedMagnitude * dweightMagnitude[c] / rows);
            }
        }
        return new Backward(
                dx,
                dxMagnitude,
                dz,
                dzMagnitude,
                dweight,
                dweightMagnitude,
                dbias,
                dbiasMagnitude,
                dlambda,
                dlambdaMagnitude);
    }

    private Forward apply(
            double[] x, double[] weight, double[] bias, double[] residual, double[] mean, double[] variance) {
        double[] invStd = new double[channels];
        for (int c = 0; c < channels; c++) {
            invStd[c] = 1 / Math.sqrt(variance[c] + eps);
        }
        double[] z = new double[x.length];
        double[] magnitude = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            int c = i % channels;
            double added = residual == null ? 0 : residual[i];
            z[i] = weight[c] * (x[i] - mean[c]) * invStd[c] + bias[c] + added;
            magnitude[i] = Math.abs(weight[c]) * (Math.abs(x[i]) + Math.abs(mean[c])) * invStd[c]
                    + Math.abs(bias[c])
                    + Math.abs(added);
        }
        return switch (activation) {
            case null -> new Forward(z, z, magnitude, mean, invStd, null);
            case Pointwise function -> {
                double[] y = new double[z.length];
                for (int i = 0; i < z.length; i++) {
                    y[i] = ActivationOracle.value(function, z[i]);
                }
                yield new Forward(y, z, magnitude, mean, invStd, null);
            }
            case VeluParameters parameters -> {
                VeluOracle.Forward velu = new VeluOracle(parameters, lambda).forward(z, channels);
                yield new Forward(velu.y(), z, magnitude, mean, invStd, velu);
            }
        };
    }

    private double[] mean(double[] x) {
        double[] mean = new double[channels];
        for (int i = 0; i < x.length; i++) {
            mean[i % channels] += x[i] / rows;
        }
        return mean;
    }

    /** Biased. */
    private double[] variance(double[] x) {
        double[] mean = mean(x);
        double[] variance = new double[channels];
        for (int i = 0; i < x.length; i++) {
            double centered = x[i] - mean[i % channels];
            variance[i % channels] += centered * centered / rows;
        }
        return variance;
    }

    private double[] blend(double[] running, double[] batch, double factor) {
        double[] blended = new double[channels];
        for (int c = 0; c < channels; c++) {
            blended[c] = (1 - momentum) * running[c] + momentum * factor * batch[c];
        }
        return blended;
    }

    private static double[] absolute(double[] values) {
        double[] absolute = values.clone();
        for (int i = 0; i < values.length; i++) {
            absolute[i] = Math.abs(values[i]);
        }
        return absolute;
    }
}
