package dev.velu.selftest;

import dev.velu.device.Context;
import dev.velu.device.RecordedGraph;
import dev.velu.device.Status;
import dev.velu.device.VeluException;
import dev.velu.op.BatchNorm;
import dev.velu.op.Conv2d;
import dev.velu.op.Dropout;
import dev.velu.op.GlobalAvgPool;
import dev.velu.op.Linear;
import dev.velu.op.OptimizerStep;
import dev.velu.op.SoftmaxCrossEntropy;
import dev.velu.op.Velu;
import dev.velu.op.VeluParameters;
import dev.velu.optim.GradientClip;
import dev.velu.optim.OptimizerAlgorithm;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;

/** A small training step recorded once and launched again and again gives the bits of the same calls made one by one. */
final class GraphCheck {
    private static final int LAUNCHES = 3;
    private static final int BATCH = 3;
    private static final int SIDE = 7;
    private static final int IN = 8;
    private static final int OUT = 33;
    private static final int CLASSES = 10;

    private GraphCheck() {}

    static void run(Probe probe) {
        try {
            RecordedGraph.record(probe.context(), () -> {}).close();
        } catch (VeluException e) {
            if (e.status() == Status.UNSUPPORTED) {
                probe.notRun("graph: recorded and replayed equals call by call", e.getMessage());
                return;
            }
            // Any other failure is the trial's to report.
        }
        probe.trialOfDevice("graph", "recorded and replayed equals call by call", GraphCheck::compare);
    }

    private static void compare(Trial trial) {
        Context context = trial.context();
        Step called = new Step(trial);
        Step recorded = new Step(trial);
        // The first run chooses implementations and grows the scratch memory, which must not happen while recording.
        called.run(context);
        recorded.run(context);
        try (RecordedGraph graph = RecordedGraph.record(context, () -> recorded.run(context))) {
            for (int i = 0; i < LAUNCHES; i++) {
                called.run(context);
                graph.launch();
            }
            context.synchronize();
        }
        trial.compareExactly("weight", recorded.weight, called.weight.toFloatArray());
        trial.compareExactly("classifier", recorded.classifier, called.classifier.toFloatArray());
        trial.compareExactly("moments", recorded.moments, called.moments.toFloatArray());
        trial.compareExactly("loss", recorded.loss, called.loss.toFloatArray());
        trial.compareExactly("running mean", recorded.runningMean, called.runningMean.toFloatArray());
        trial.comparison().element("steps counted", 0, recorded.counted.item(), LAUNCHES + 1, 0);
    }

    /** Convolution, fused batch norm with VeLU, dropout, pooling, linear, loss, their gradients and two updates. */
    private static final class Step {
        private final Conv2d conv = Conv2d.of(1, 1);
        private final BatchNorm norm = new BatchNorm(1e-5f, 0.1f, VeluParameters.released(), 0.1f);
        private final Velu velu = new Velu(VeluParameters.released(), 0.1f);
        private final Dropout dropout = new Dropout(0.1f, 5, 1, Dropout.Mode.ELEMENT);
        private final SoftmaxCrossEntropy entropy = new SoftmaxCrossEntropy(0.1f);
        private final OptimizerStep optimizer =
                new OptimizerStep(OptimizerAlgorithm.Adam.defaults(), GradientClip.NONE);
        private final Tensor x;
        private final Tensor weight;
        private final Tensor dweight;
        private final Tensor features;
        private final Tensor dfeatures;
        private final Tensor active;
        private final Tensor scale;
        private final Tensor bias;
        private final Tensor dscale;
        private final Tensor dbias;
        private final Tensor lambda;
        private final Tensor dlambda;
        private final Tensor runningMean;
        private final Tensor runningVar;
        private final Tensor counted;
        private final Tensor savedMean;
        private final Tensor savedInvStd;
        private final Tensor moments;
        private final Tensor dropped;
        private final Tensor dropoutStep;
        private final Tensor pooled;
        private final Tensor dpooled;
        private final Tensor gated;
        private final Tensor gateMoments;
        private final Tensor classifier;
        private final Tensor dclassifier;
        private final Tensor logits;
        private final Tensor dlogits;
        private final Tensor labels;
        private final Tensor loss;
        private final Tensor logSumExp;
        private final Tensor rate;
        private final Tensor counters;
        private final Tensor first;
        private final Tensor second;
        private final Tensor classifierCounters;
        private final Tensor classifierFirst;
        private final Tensor classifierSecond;

        Step(Trial trial) {
            int pixels = BATCH * SIDE * SIDE;
            int weights = OUT * 3 * 3 * IN;
            x = trial.data(Numbers.normal(1, pixels * IN, 1), BATCH, SIDE, SIDE, IN);
            weight = trial.updated(Numbers.normal(2, weights, 0.1), OUT, 3, 3, IN);
            dweight = trial.output(DType.F32, OUT, 3, 3, IN);
            features = trial.result(BATCH, SIDE, SIDE, OUT);
            dfeatures = trial.result(BATCH, SIDE, SIDE, OUT);
            active = trial.result(BATCH, SIDE, SIDE, OUT);
            scale = trial.input(Numbers.uniform(3, OUT, 0.5, 1.5), OUT);
            bias = trial.input(Numbers.normal(4, OUT, 0.5), OUT);
            dscale = trial.output(DType.F32, OUT);
            dbias = trial.output(DType.F32, OUT);
            lambda = trial.scalar(0.8f);
            dlambda = trial.output(DType.F32);
            runningMean = trial.updated(new float[OUT], OUT);
            runningVar = trial.updated(Numbers.uniform(5, OUT, 1, 1), OUT);
            counted = trial.updated(0L);
            savedMean = trial.output(DType.F32, OUT);
            savedInvStd = trial.output(DType.F32, OUT);
            moments = trial.output(DType.F32, 3);
            dropped = trial.result(BATCH, SIDE, SIDE, OUT);
            dropoutStep = trial.scalar(7L);
            pooled = trial.result(BATCH, OUT);
            dpooled = trial.result(BATCH, OUT);
            gated = trial.result(BATCH, OUT);
            gateMoments = trial.output(DType.F32, 3);
            classifier = trial.updated(Numbers.normal(6, CLASSES * OUT, 0.3), CLASSES, OUT);
            dclassifier = trial.output(DType.F32, CLASSES, OUT);
            logits = trial.result(BATCH, CLASSES);
            dlogits = trial.result(BATCH, CLASSES);
            labels = trial.input(new int[] {3, 0, 9}, BATCH);
            loss = trial.output(DType.F32);
            logSumExp = trial.output(DType.F32, BATCH);
            rate = trial.scalar(0.01f);
            counters = trial.updated(new double[] {0, 1}, 2);
            first = trial.updated(new float[weights], weights);
            second = trial.updated(new float[weights], weights);
            classifierCounters = trial.updated(new double[] {0, 1}, 2);
            classifierFirst = trial.updated(new float[CLASSES * OUT], CLASSES * OUT);
            classifierSecond = trial.updated(new float[CLASSES * OUT], CLASSES * OUT);
        }

        void run(Context context) {
            conv.forward(context, x, weight, null, features);
            norm.forwardTraining(
                    context,
                    features,
                    scale,
                    bias,
                    null,
                    lambda,
                    runningMean,
                    runningVar,
                    counted,
                    active,
                    savedMean,
                    savedInvStd,
                    moments);
            dropout.forward(context, active, dropoutStep, dropped);
            new GlobalAvgPool().forward(context, dropped, pooled);
            velu.forward(context, pooled, lambda, gated, gateMoments);
            new Linear().forward(context, gated, classifier, null, logits);
            entropy.forward(context, logits, labels, loss, logSumExp);
            entropy.backward(context, logits, labels, logSumExp, null, dlogits);
            new Linear().backwardWeights(context, gated, dlogits, dclassifier, null);
            new Linear().backwardData(context, dlogits, classifier, dpooled);
            velu.backward(context, pooled, dpooled, lambda, gateMoments, dpooled, null);
            new GlobalAvgPool().backward(context, dpooled, dfeatures);
            dropout.backward(context, dfeatures, dropoutStep, dfeatures);
            norm.backward(
                    context,
                    features,
                    dfeatures,
                    scale,
                    bias,
                    null,
                    lambda,
                    savedMean,
                    savedInvStd,
                    moments,
                    dfeatures,
                    null,
                    dscale,
                    dbias,
                    dlambda);
            conv.backwardWeights(context, x, dfeatures, dweight, null);
            update(context, counters, weight, dweight, first, second);
            update(context, classifierCounters, classifier, dclassifier, classifierFirst, classifierSecond);
        }

        private void update(
                Context context, Tensor counts, Tensor parameter, Tensor gradient, Tensor state0, Tensor state1) {
            optimizer.step(context, rate, null, counts, flat(parameter), flat(gradient), state0, state1);
        }

        private static Tensor flat(Tensor tensor) {
            return Tensor.wrap(
                    tensor.context(),
                    tensor.segment(),
                    tensor.dtype(),
                    tensor.shape().elements());
        }
    }
}
