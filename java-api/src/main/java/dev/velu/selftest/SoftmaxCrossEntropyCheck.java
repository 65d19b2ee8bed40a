package dev.velu.selftest;

import dev.velu.op.SoftmaxCrossEntropy;
import dev.velu.selftest.oracle.SoftmaxCrossEntropyOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.util.Arrays;

/** The loss: label smoothing, rows left out, rows of two classes, logits that would overflow. */
final class SoftmaxCrossEntropyCheck {
    private static final int[][] SHAPES = {{1, 1}, {31, 10}, {33, 257}, {3, 1000}, {257, 2}};

    private SoftmaxCrossEntropyCheck() {}

    static void run(Probe probe) {
        for (int[] shape : SHAPES) {
            for (float smoothing : new float[] {0, 0.1f, 1}) {
                int[] labels = Numbers.integers(1, shape[0], 0, shape[1] - 1);
                for (int r = 3; r < labels.length; r += 5) {
                    labels[r] = -1;
                }
                check(probe, "", shape[1], smoothing, labels, probe.data(Numbers.normal(2, shape[0] * shape[1], 3)));
                mixed(probe, shape[1], smoothing, labels, probe.data(Numbers.normal(6, shape[0] * shape[1], 3)));
            }
        }
        int[] none = new int[5];
        Arrays.fill(none, -1);
        check(probe, " no labels", 7, 0.1f, none, probe.data(Numbers.normal(3, 35, 1)));
        check(probe, " large logits", 10, 0, Numbers.integers(4, 31, 0, 9), probe.data(Numbers.normal(5, 310, 1e4)));
    }

    private static void check(
            Probe probe, String kind, int classes, float smoothing, int[] labels, float[] logitValues) {
        int rows = labels.length;
        SoftmaxCrossEntropyOracle o = new SoftmaxCrossEntropyOracle(rows, classes, smoothing);
        SoftmaxCrossEntropy operation = new SoftmaxCrossEntropy(smoothing);
        String name = rows + "x" + classes + " smoothing " + smoothing + kind;
        double[] wide = Numbers.wide(logitValues);
        double[] logSumExpValues = o.logSumExp(wide);
        double largest = 0;
        for (double logit : wide) {
            largest = Math.max(largest, Math.abs(logit));
        }
        double scale = Math.max(1, largest);
        probe.trial("softmax_cross_entropy_forward", name, trial -> {
            Tensor loss = trial.output(DType.F32);
            Tensor logSumExp = trial.output(DType.F32, rows);
            operation.forward(
                    trial.context(),
                    trial.data(logitValues, rows, classes),
                    trial.input(labels, rows),
                    loss,
                    logSumExp);
            trial.compare("loss", loss.item(), o.loss(wide, labels), Tolerances.LOSS.at(scale));
            float[] sums = logSumExp.toFloatArray();
            for (int r = 0; r < rows; r++) {
                if (labels[r] >= 0) {
                    trial.comparison().element("logSumExp", r, sums[r], logSumExpValues[r], Tolerances.LOSS.at(scale));
                }
            }
        });
        probe.trial("softmax_cross_entropy_backward", name, trial -> {
            float dlossValue = -2.5f;
            Tensor logits = trial.data(logitValues, rows, classes);
            Tensor labelTensor = trial.input(labels, rows);
            Tensor logSumExp = trial.input(Numbers.narrow(logSumExpValues), rows);
            Tensor dlogits = trial.result(rows, classes);
            double[] gradient = o.backward(wide, labels, 1);
            double[] magnitude = magnitude(o, wide, labels, scale);
            operation.backward(trial.context(), logits, labelTensor, logSumExp, null, dlogits);
            trial.compare("dlogits", dlogits, gradient, magnitude, Tolerances.LOSS_GRADIENT);
            if (kind.isEmpty()) {
                DifferenceQuotient.compare(
                        trial,
                        "dlogits",
                        dlogits.toFloatArray(),
                        logitValues,
                        magnitude,
                        point -> o.loss(point, labels));
            }
            Tensor scaled = trial.result(rows, classes);
            operation.backward(trial.context(), logits, labelTensor, logSumExp, trial.scalar(dlossValue), scaled);
            trial.compare(
                    "dlogits of -2.5 loss",
                    scaled,
                    o.backward(wide, labels, dlossValue),
                    Numbers.map(magnitude, m -> Math.abs(dlossValue) * m),
                    Tolerances.LOSS_GRADIENT);
        });
    }

    /** Rows of two classes, some of them the same, with shares of 0, 1 and between. */
    private static void mixed(Probe probe, int classes, float smoothing, int[] labels, float[] logitValues) {
        int rows = labels.length;
        int[] others = Numbers.integers(7, rows, 0, classes - 1);
        float[] shares = new float[rows];
        for (int r = 0; r < rows; r++) {
            shares[r] = r % 4 / 3.0f;
        }
        SoftmaxCrossEntropyOracle o = new SoftmaxCrossEntropyOracle(rows, classes, smoothing);
        SoftmaxCrossEntropy operation = new SoftmaxCrossEntropy(smoothing);
        String name = rows + "x" + classes + " smoothing " + smoothing + " mixed labels";
        double[] wide = Numbers.wide(logitValues);
        double scale = 1;
        for (double logit : wide) {
            scale = Math.max(scale, Math.abs(logit));
        }
        double bound = scale;
        double[] magnitude = magnitude(o, wide, labels, bound);
        double[] withTargets = o.backward(wide, labels, others, shares, 1);
        for (int i = 0; i < magnitude.length; i++) {
            magnitude[i] += Math.abs(withTargets[i]);
        }
        probe.trial("softmax_cross_entropy_forward", name, trial -> {
            Tensor loss = trial.output(DType.F32);
            operation.forward(
                    trial.context(),
                    trial.data(logitValues, rows, classes),
                    trial.input(labels, rows),
                    trial.input(others, rows),
                    trial.input(shares, rows),
                    loss,
                    trial.output(DType.F32, rows));
            trial.compare("loss", loss.item(), o.loss(wide, labels, others, shares), Tolerances.LOSS.at(bound));
        });
        probe.trial("softmax_cross_entropy_backward", name, trial -> {
            Tensor dlogits = trial.result(rows, classes);
            operation.backward(
                    trial.context(),
                    trial.data(logitValues, rows, classes),
                    trial.input(labels, rows),
                    trial.input(others, rows),
                    trial.input(shares, rows),
                    trial.input(Numbers.narrow(o.logSumExp(wide)), rows),
                    null,
                    dlogits);
            trial.compare("dlogits", dlogits, withTargets, magnitude, Tolerances.LOSS_GRADIENT);
            DifferenceQuotient.compare(
                    trial,
                    "dlogits",
                    dlogits.toFloatArray(),
                    logitValues,
                    magnitude,
                    point -> o.loss(point, labels, others, shares));
        });
    }

    /** probability + target, the terms of the gradient, where the exponent's rounding grows with the logits. */
    private static double[] magnitude(SoftmaxCrossEntropyOracle o, double[] logits, int[] labels, double scale) {
        double[] withTarget = o.backward(logits, labels, 1);
        int[] labelled = Arrays.stream(labels).filter(label -> label >= 0).toArray();
        double[] logSumExp = o.logSumExp(logits);
        double[] magnitude = new double[logits.length];
        for (int i = 0; i < logits.length; i++) {
            int row = i / o.classes();
            if (labels[row] >= 0) {
                double probability = Math.exp(logits[i] - logSumExp[row]) / labelled.length;
                magnitude[i] = scale * probability + Math.abs(probability - withTarget[i]);
            }
        }
        return magnitude;
    }
}
