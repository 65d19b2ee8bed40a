package dev.velu.selftest;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_batch_norm_desc;
import dev.velu.bindings.velu_velu_params;
import dev.velu.op.ActivationFunction;
import dev.velu.op.BatchNorm;
import dev.velu.op.Pointwise;
import dev.velu.op.VeluParameters;
import dev.velu.selftest.oracle.BatchNormOracle;
import dev.velu.selftest.oracle.VeluOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

/**
 * Batch normalization with every activation, with and without the residual, dense and of channels of wider tensors: training,
 * inference, backward.
 */
final class BatchNormCheck {
    private static final int[][] SHAPES = {{2, 1}, {31, 33}, {257, 31}, {7, 257}, {9, 2048}, {2000, 8}};
    private static final float EPS = 1e-5f;
    private static final float MOMENTUM = 0.1f;
    private static final float LAMBDA = 0.8f;
    /** Half the width of the band around a kink of the activation that gradients must not pass through. */
    private static final double KINK = 1e-3;

    private BatchNormCheck() {}

    /** The operands of one case; residual is null for none. */
    private record Case(
            BatchNorm batchNorm,
            BatchNormOracle oracle,
            float[] x,
            float[] weight,
            float[] bias,
            float[] residual,
            float[] dy,
            String name) {
        double[] wideResidual() {
            return residual == null ? null : Numbers.wide(residual);
        }

        boolean velu() {
            return batchNorm.activation() instanceof VeluParameters;
        }

        BatchNormOracle.Forward training() {
            return oracle.training(Numbers.wide(x), Numbers.wide(weight), Numbers.wide(bias), wideResidual());
        }

        long[] shape() {
            return new long[] {oracle.rows(), oracle.channels()};
        }

        Tensor optionalResidual(Trial trial) {
            return residual == null ? null : trial.data(residual, shape());
        }

        Tensor optionalLambda(Trial trial) {
            return velu() ? trial.scalar(LAMBDA) : null;
        }
    }

    static void run(Probe probe) {
        List<ActivationFunction> activations = Arrays.asList(
                null, Pointwise.RELU, Pointwise.RELU6, Pointwise.SILU, Pointwise.GELU, VeluParameters.released());
        int n = 0;
        for (ActivationFunction activation : activations) {
            for (int[] shape : SHAPES) {
                Case c = makeCase(probe, shape[0], shape[1], activation, n++ % 2 == 0, 1);
                training(probe, c);
                inference(probe, c);
                backward(probe, c);
            }
            if (probe.dtype() == DType.F32) {
                gradients(probe, makeCase(probe, 31, 9, activation, true, 1));
            }
        }
        int gap = 1;
        for (ActivationFunction activation : Arrays.asList(null, Pointwise.RELU, VeluParameters.released())) {
            pitched(probe, makeCase(probe, 31, 33, activation, false, 1), gap);
            pitched(probe, makeCase(probe, 98, 64, activation, true, 1), 32 * gap);
            gap += 2;
        }
        // A mean far from zero is where a variance from squares would lose everything.
        training(probe, makeCase(probe, 257, 31, null, false, 1000));
    }

    private static Case makeCase(
            Probe probe,
            int rows,
            int channels,
            ActivationFunction activation,
            boolean withResidual,
            double meanScale) {
        int size = rows * channels;
        float w2Weight = activation instanceof VeluParameters ? 0.3f : 0;
        float[] x = Numbers.normal(1, size, 1.5);
        float[] mean = Numbers.normal(2, channels, meanScale);
        for (int i = 0; i < size; i++) {
            x[i] += mean[i % channels];
        }
        x = probe.data(x);
        float[] weight = Numbers.uniform(3, channels, 0.5, 1.5);
        float[] bias = Numbers.normal(4, channels, 0.5);
        float[] residual = withResidual ? probe.data(Numbers.normal(5, size, 1)) : null;
        float[] dy = probe.data(Numbers.normal(6, size, 1));
        Case c = new Case(
                new BatchNorm(EPS, MOMENTUM, activation, w2Weight),
                new BatchNormOracle(rows, channels, EPS, MOMENTUM, activation, LAMBDA, w2Weight),
                x,
                weight,
                bias,
                residual,
                dy,
                rows + "x" + channels + (activation == null ? "" : " " + activation.label())
                        + (withResidual ? " residual" : "") + (meanScale > 1 ? " far means" : ""));
        if (activation == Pointwise.RELU || activation == Pointwise.RELU6) {
            // Where z lies at a kink, rounding decides which side the gradient takes: such elements get none.
            double[] z = c.training().z();
            for (int i = 0; i < size; i++) {
                if (Math.abs(z[i]) < KINK || Math.abs(z[i] - 6) < KINK) {
                    dy[i] = 0;
                }
            }
        }
        return c;
    }

    private static void training(Probe probe, Case c) {
        probe.trial("batch_norm_forward_training", c.name, trial -> {
            int channels = c.oracle.channels();
            BatchNormOracle.Forward expected = c.training();
            float[] runningMean = Numbers.normal(7, channels, 1);
            float[] runningVar = Numbers.uniform(8, channels, 0.5, 2);
            Tensor mean = trial.updated(runningMean, channels);
            Tensor variance = trial.updated(runningVar, channels);
            Tensor tracked = trial.updated(41L);
            Tensor y = trial.result(c.shape());
            Tensor savedMean = trial.output(DType.F32, channels);
            Tensor savedInvStd = trial.output(DType.F32, channels);
            Tensor moments = c.velu() ? trial.output(DType.F32, 3) : null;
            c.batchNorm.forwardTraining(
                    trial.context(),
                    trial.data(c.x, c.shape()),
                    trial.input(c.weight, channels),
                    trial.input(c.bias, channels),
                    c.optionalResidual(trial),
                    c.optionalLambda(trial),
                    mean,
                    variance,
                    tracked,
                    y,
                    savedMean,
                    savedInvStd,
                    moments);
            trial.compare("y", y, expected.y(), expected.zMagnitude(), Tolerances.BATCH_NORM_Y);
            double[] meanMagnitude = meanOf(Numbers.absolute(c.x), channels);
            trial.compare("savedMean", savedMean, expected.mean(), meanMagnitude, Tolerances.BATCH_STATISTICS);
            trial.compare("savedInvStd", savedInvStd, expected.invStd(), Tolerances.BATCH_STATISTICS);
            double[] newMean = c.oracle.runningMean(Numbers.wide(c.x), Numbers.wide(runningMean));
            double[] newMeanMagnitude = c.oracle.runningMean(Numbers.absolute(c.x), Numbers.absolute(runningMean));
            trial.compare("runningMean", mean, newMean, newMeanMagnitude, Tolerances.BATCH_STATISTICS);
            double[] newVariance = c.oracle.runningVariance(Numbers.wide(c.x), Numbers.wide(runningVar));
            trial.compare("runningVar", variance, newVariance, Tolerances.BATCH_STATISTICS);
            trial.compareExactly("numBatchesTracked", tracked, 42);
            compareMoments(trial, moments, expected.moments());
        });
    }

    private static void inference(Probe probe, Case c) {
        probe.trial("batch_norm_forward_inference", c.name, trial -> {
            int channels = c.oracle.channels();
            float[] runningMean = Numbers.normal(7, channels, 1);
            float[] runningVar = Numbers.uniform(8, channels, 0.5, 2);
            BatchNormOracle.Forward expected = c.oracle.inference(
                    Numbers.wide(c.x),
                    Numbers.wide(c.weight),
                    Numbers.wide(c.bias),
                    c.wideResidual(),
                    Numbers.wide(runningMean),
                    Numbers.wide(runningVar));
            Tensor y = trial.result(c.shape());
            Tensor moments = c.velu() ? trial.output(DType.F32, 3) : null;
            c.batchNorm.forwardInference(
                    trial.context(),
                    trial.data(c.x, c.shape()),
                    trial.input(c.weight, channels),
                    trial.input(c.bias, channels),
                    c.optionalResidual(trial),
                    c.optionalLambda(trial),
                    trial.input(runningMean, channels),
                    trial.input(runningVar, channels),
                    y,
                    moments);
            trial.compare("y", y, expected.y(), expected.zMagnitude(), Tolerances.BATCH_NORM_Y);
            compareMoments(trial, moments, expected.moments());
        });
    }

    private static void compareMoments(Trial trial, Tensor moments, VeluOracle.Forward expected) {
        if (moments != null) {
            double[] reference = {expected.mean(), expected.std(), expected.w2()};
            double[] magnitude = Numbers.map(reference, m -> Math.max(1, Math.abs(m)));
            trial.compare("moments", moments, reference, magnitude, Tolerances.VELU_MOMENTS);
        }
    }

    private static double[] meanOf(double[] x, int channels) {
        double[] mean = new double[channels];
        for (int i = 0; i < x.length; i++) {
            mean[i % channels] += x[i] * channels / x.length;
        }
        return mean;
    }

    /** The outputs of the backward pass. */
    private record Gradients(Tensor dx, Tensor dresidual, Tensor dweight, Tensor dbias, Tensor dlambda) {}

    /** What a forward pass with VeLU stores, or null. */
    private static Tensor storedMoments(Trial trial, Case c, BatchNormOracle.Forward forward) {
        VeluOracle.Forward velu = forward.moments();
        return velu == null ? null : trial.input(Numbers.narrow(new double[] {velu.mean(), velu.std(), velu.w2()}), 3);
    }

    private static Gradients backward(Trial trial, Case c) {
        int channels = c.oracle.channels();
        BatchNormOracle.Forward forward = c.training();
        Tensor moments = storedMoments(trial, c, forward);
        Gradients gradients = new Gradients(
                trial.result(c.shape()),
                c.residual == null ? null : trial.result(c.shape()),
                trial.output(DType.F32, channels),
                trial.output(DType.F32, channels),
                c.velu() ? trial.output(DType.F32) : null);
        c.batchNorm.backward(
                trial.context(),
                trial.data(c.x, c.shape()),
                trial.data(c.dy, c.shape()),
                trial.input(c.weight, channels),
                trial.input(c.bias, channels),
                c.optionalResidual(trial),
                c.optionalLambda(trial),
                trial.input(Numbers.narrow(forward.mean()), channels),
                trial.input(Numbers.narrow(forward.invStd()), channels),
                moments,
                gradients.dx,
                gradients.dresidual,
                gradients.dweight,
                gradients.dbias,
                gradients.dlambda);
        return gradients;
    }

    private static BatchNormOracle.Backward expected(Case c) {
        return c.oracle.backward(
                Numbers.wide(c.x), Numbers.wide(c.dy), Numbers.wide(c.weight), Numbers.wide(c.bias), c.wideResidual());
    }

    private static void backward(Probe probe, Case c) {
        probe.trial("batch_norm_backward", c.name, trial -> {
            Gradients actual = backward(trial, c);
            BatchNormOracle.Backward expected = expected(c);
            Tolerance tolerance =
                    probe.dtype() == DType.BF16 ? Tolerances.BATCH_NORM_GRADIENT_BF16 : Tolerances.BATCH_NORM_GRADIENT;
            trial.compare("dx", actual.dx, expected.dx(), expected.dxMagnitude(), tolerance);
            trial.compare("dweight", actual.dweight, expected.dweight(), expected.dweightMagnitude(), tolerance);
            trial.compare("dbias", actual.dbias, expected.dbias(), expected.dbiasMagnitude(), tolerance);
            if (actual.dresidual != null) {
                trial.compare(
                        "dresidual", actual.dresidual, expected.dresidual(), expected.dresidualMagnitude(), tolerance);
            }
            if (actual.dlambda != null) {
                trial.compare(
                        "dlambda",
                        actual.dlambda.item(),
                        expected.dlambda(),
                        Tolerances.BATCH_NORM_GRADIENT.at(expected.dlambdaMagnitude()));
            }
        });
    }

    /** With the rows of x, dx and what is added to dx each their own distance apart: channels of wider tensors. */
    private static void pitched(Probe probe, Case c, int gap) {
        int rows = c.oracle.rows();
        int channels = c.oracle.channels();
        int xPitch = channels + gap;
        int dxPitch = channels + 2 * gap;
        String name = c.name + " pitch " + xPitch;
        MemorySegment none = MemorySegment.NULL;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = desc(probe, arena, c);
            velu_batch_norm_desc.x_pitch(desc, xPitch);
            velu_batch_norm_desc.dx_pitch(desc, dxPitch);
            velu_batch_norm_desc.dx_addend_pitch(desc, dxPitch);
            probe.trial("batch_norm_forward_training", name, desc, trial -> {
                BatchNormOracle.Forward expected = c.training();
                Tensor y = trial.result(c.shape());
                Tensor savedMean = trial.output(DType.F32, channels);
                Tensor savedInvStd = trial.output(DType.F32, channels);
                Tensor moments = c.velu() ? trial.output(DType.F32, 3) : null;
                int status = VeluNative.velu_batch_norm_forward_training(
                        trial.context().handle(),
                        desc,
                        PitchedRows.data(trial, c.x, channels, xPitch).segment(),
                        trial.input(c.weight, channels).segment(),
                        trial.input(c.bias, channels).segment(),
                        orNull(c.optionalResidual(trial)),
                        orNull(c.optionalLambda(trial)),
                        none,
                        none,
                        none,
                        y.segment(),
                        savedMean.segment(),
                        savedInvStd.segment(),
                        orNull(moments));
                trial.context().check(status, "velu_batch_norm_forward_training");
                trial.compare("y", y, expected.y(), expected.zMagnitude(), Tolerances.BATCH_NORM_Y);
                trial.compare("savedInvStd", savedInvStd, expected.invStd(), Tolerances.BATCH_STATISTICS);
                compareMoments(trial, moments, expected.moments());
            });
            probe.trial("batch_norm_forward_inference", name, desc, trial -> {
                float[] runningMean = Numbers.normal(7, channels, 1);
                float[] runningVar = Numbers.uniform(8, channels, 0.5, 2);
                BatchNormOracle.Forward expected = c.oracle.inference(
                        Numbers.wide(c.x),
                        Numbers.wide(c.weight),
                        Numbers.wide(c.bias),
                        c.wideResidual(),
                        Numbers.wide(runningMean),
                        Numbers.wide(runningVar));
                Tensor y = trial.result(c.shape());
                int status = VeluNative.velu_batch_norm_forward_inference(
                        trial.context().handle(),
                        desc,
                        PitchedRows.data(trial, c.x, channels, xPitch).segment(),
                        trial.input(c.weight, channels).segment(),
                        trial.input(c.bias, channels).segment(),
                        orNull(c.optionalResidual(trial)),
                        orNull(c.optionalLambda(trial)),
                        trial.input(runningMean, channels).segment(),
                        trial.input(runningVar, channels).segment(),
                        y.segment(),
                        none);
                trial.context().check(status, "velu_batch_norm_forward_inference");
                trial.compare("y", y, expected.y(), expected.zMagnitude(), Tolerances.BATCH_NORM_Y);
            });
            float[] addend = probe.data(Numbers.normal(9, rows * channels, 1));
            probe.trial("batch_norm_backward", name + " addend", desc, trial -> {
                BatchNormOracle.Backward expected = expected(c);
                double[] dx = expected.dx().clone();
                double[] magnitude = expected.dxMagnitude().clone();
                for (int i = 0; i < dx.length; i++) {
                    dx[i] += addend[i];
                    magnitude[i] += Math.abs(addend[i]);
                }
                PitchedRows apart = PitchedRows.result(trial, rows, channels, dxPitch);
                Tensor dweight = trial.output(DType.F32, channels);
                Tensor dresidual = c.residual == null ? null : trial.result(c.shape());
                PitchedRows given = PitchedRows.data(trial, addend, channels, dxPitch);
                pitchedBackward(trial, desc, c, xPitch, given, apart, dweight, dresidual);
                Tolerance tolerance = probe.dtype() == DType.BF16
                        ? Tolerances.BATCH_NORM_GRADIENT_BF16
                        : Tolerances.BATCH_NORM_GRADIENT;
                apart.compare(trial, "dx", dx, magnitude, tolerance);
                trial.compare("dweight", dweight, expected.dweight(), expected.dweightMagnitude(), tolerance);
                if (dresidual != null) {
                    trial.compare(
                            "dresidual", dresidual, expected.dresidual(), expected.dresidualMagnitude(), tolerance);
                }
                PitchedRows inPlace = PitchedRows.updatedData(trial, addend, channels, dxPitch);
                Tensor again = c.residual == null ? null : trial.result(c.shape());
                pitchedBackward(trial, desc, c, xPitch, inPlace, inPlace, trial.output(DType.F32, channels), again);
                inPlace.compareExactly(trial, "dx in place of the addend", apart.values());
            });
        }
    }

    private static void pitchedBackward(
            Trial trial,
            MemorySegment desc,
            Case c,
            int xPitch,
            PitchedRows addend,
            PitchedRows dx,
            Tensor dweight,
            Tensor dresidual) {
        int channels = c.oracle.channels();
        BatchNormOracle.Forward forward = c.training();
        int status = VeluNative.velu_batch_norm_backward(
                trial.context().handle(),
                desc,
                PitchedRows.data(trial, c.x, channels, xPitch).segment(),
                trial.data(c.dy, c.shape()).segment(),
                trial.input(c.weight, channels).segment(),
                trial.input(c.bias, channels).segment(),
                orNull(c.optionalResidual(trial)),
                orNull(c.optionalLambda(trial)),
                trial.input(Numbers.narrow(forward.mean()), channels).segment(),
                trial.input(Numbers.narrow(forward.invStd()), channels).segment(),
                orNull(storedMoments(trial, c, forward)),
                addend.segment(),
                dx.segment(),
                orNull(dresidual),
                dweight.segment(),
                trial.output(DType.F32, channels).segment(),
                orNull(c.velu() ? trial.output(DType.F32) : null));
        trial.context().check(status, "velu_batch_norm_backward");
    }

    private static MemorySegment orNull(Tensor tensor) {
        return tensor == null ? MemorySegment.NULL : tensor.segment();
    }

    private static MemorySegment desc(Probe probe, Arena arena, Case c) {
        MemorySegment desc = velu_batch_norm_desc.allocate(arena);
        velu_batch_norm_desc.device(desc, probe.context().device().kind().ordinal());
        velu_batch_norm_desc.dtype(desc, probe.dtype().code());
        velu_batch_norm_desc.rows(desc, c.oracle.rows());
        velu_batch_norm_desc.channels(desc, c.oracle.channels());
        velu_batch_norm_desc.eps(desc, EPS);
        velu_batch_norm_desc.momentum(desc, MOMENTUM);
        ActivationFunction activation = c.batchNorm.activation();
        velu_batch_norm_desc.activation(
                desc, activation == null ? VeluNative.VELU_ACTIVATION_IDENTITY() : activation.code());
        if (activation instanceof VeluParameters p) {
            MemorySegment params = velu_batch_norm_desc.params(desc);
            velu_velu_params.alpha(params, p.alpha());
            velu_velu_params.beta1(params, p.beta1());
            velu_velu_params.beta2(params, p.beta2());
            velu_velu_params.gamma(params, p.gamma());
            velu_velu_params.mu(params, p.mu());
            velu_velu_params.eps(params, p.eps());
            velu_velu_params.statistic(params, p.statistic().ordinal());
            velu_batch_norm_desc.w2_weight(desc, c.batchNorm.w2Weight());
        }
        return desc;
    }

    /** All gradients of one case against difference quotients of the whole: normalization, residual, activation, W2. */
    private static void gradients(Probe probe, Case c) {
        probe.trial("batch_norm_backward", c.name + " by differences", trial -> {
            Gradients actual = backward(trial, c);
            BatchNormOracle.Backward scale = expected(c);
            double[] x = Numbers.wide(c.x);
            double[] weight = Numbers.wide(c.weight);
            double[] bias = Numbers.wide(c.bias);
            double[] residual = c.wideResidual();
            DifferenceQuotient.compare(
                    trial,
                    "dx",
                    actual.dx.toFloatArray(),
                    c.x,
                    scale.dxMagnitude(),
                    point -> loss(c, c.oracle.training(point, weight, bias, residual)));
            DifferenceQuotient.compare(
                    trial,
                    "dresidual",
                    actual.dresidual.toFloatArray(),
                    c.residual,
                    scale.dresidualMagnitude(),
                    point -> loss(c, c.oracle.training(x, weight, bias, point)));
            DifferenceQuotient.compare(
                    trial,
                    "dweight",
                    actual.dweight.toFloatArray(),
                    c.weight,
                    scale.dweightMagnitude(),
                    point -> loss(c, c.oracle.training(x, point, bias, residual)));
            DifferenceQuotient.compare(
                    trial,
                    "dbias",
                    actual.dbias.toFloatArray(),
                    c.bias,
                    scale.dbiasMagnitude(),
                    point -> loss(c, c.oracle.training(x, weight, point, residual)));
        });
    }

    private static double loss(Case c, BatchNormOracle.Forward forward) {
        double w2 = c.velu() ? c.oracle.w2Weight() * forward.moments().w2() : 0;
        return Numbers.dot(c.dy, forward.y()) + w2;
    }
}
