package dev.velu.selftest.oracle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.velu.op.ActivationFunction;
import dev.velu.op.Conv2d;
import dev.velu.op.Pointwise;
import dev.velu.op.PoolWindow;
import dev.velu.op.VeluParameters;
import dev.velu.op.VeluParameters.Clamp;
import dev.velu.op.VeluParameters.Statistic;
import dev.velu.optim.GradientClip;
import dev.velu.optim.OptimizerAlgorithm;
import java.util.Arrays;
import java.util.Random;
import java.util.function.ToDoubleFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The references agree with known values and their gradients with their own difference quotients. */
class OracleTest {
    private static final double STEP = 1e-6;

    private static double[] normal(long seed, int count) {
        return new Random(seed).doubles(count, -1.2, 1.2).toArray();
    }

    private static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }

    /** Every element of a gradient against a central difference. */
    private static void assertGradient(double[] gradient, double[] point, ToDoubleFunction<double[]> loss) {
        for (int i = 0; i < point.length; i++) {
            double[] ahead = point.clone();
            double[] behind = point.clone();
            ahead[i] += STEP;
            behind[i] -= STEP;
            double quotient = (loss.applyAsDouble(ahead) - loss.applyAsDouble(behind)) / (2 * STEP);
            assertThat(gradient[i]).as("element %d", i).isCloseTo(quotient, within(1e-7));
        }
    }

    private static VeluParameters curve(Statistic statistic, Clamp clamp) {
        VeluParameters p = VeluParameters.curve();
        return new VeluParameters(p.alpha(), p.beta1(), p.beta2(), p.gamma(), p.mu(), p.eps(), statistic, clamp);
    }

    @Test
    void veluGivesTheAuthorsPublishedCurve() {
        double[] x = new double[300];
        for (int i = 0; i < 300; i++) {
            x[i] = -1.5 + 3.0 * i / 299;
        }
        double[] y = new VeluOracle(VeluParameters.curve(), 1).forward(x, 300).y();
        assertThat(y[0]).isCloseTo(-0.00972560, within(1e-6));
        assertThat(y[299]).isCloseTo(1.60670631, within(1e-6));
        assertThat(Arrays.stream(y).min().orElseThrow()).isCloseTo(-0.09025852, within(1e-6));
    }

    @ParameterizedTest
    @EnumSource
    void veluGradientMatchesDifferences(Statistic statistic) {
        for (Clamp clamp : new Clamp[] {null, new Clamp(0.5f, 2), new Clamp(1.2f, 2)}) {
            VeluParameters parameters = curve(statistic, clamp);
            double[] x = normal(1, 21);
            double[] dy = normal(2, 21);
            VeluOracle.Backward gradient = new VeluOracle(parameters, 0.8).backward(x, dy, 7, 0.5);
            assertGradient(gradient.dx(), x, point -> {
                VeluOracle.Forward f = new VeluOracle(parameters, 0.8).forward(point, 7);
                return dot(dy, f.y()) + 0.5 * f.w2();
            });
            assertGradient(
                    new double[] {gradient.dlambda()},
                    new double[] {0.8},
                    point -> dot(
                            dy,
                            new VeluOracle(parameters, point[0]).forward(x, 7).y()));
        }
    }

    @Test
    void erfcMatchesTabulatedValues() {
        assertThat(ActivationOracle.erfc(0)).isEqualTo(1);
        assertThat(ActivationOracle.erfc(0.5)).isCloseTo(0.479500122186953462, within(1e-15));
        assertThat(ActivationOracle.erfc(-1)).isCloseTo(1.84270079294971487, within(1e-15));
        assertThat(ActivationOracle.erfc(2)).isCloseTo(0.00467773498104726584, within(1e-15));
        assertThat(ActivationOracle.erfc(3)).isCloseTo(2.20904969985854414e-5, within(1e-19));
        assertThat(ActivationOracle.erfc(5)).isCloseTo(1.53745979442803485e-12, within(1e-26));
    }

    @ParameterizedTest
    @EnumSource
    void activationDerivativeMatchesDifferences(Pointwise function) {
        double[] x = {-7, -3, -1.1, -0.3, 0.2, 1.7, 5.5, 6.5, 9};
        double[] derivative = Arrays.stream(x)
                .map(v -> ActivationOracle.derivative(function, v))
                .toArray();
        assertGradient(
                derivative,
                x,
                point -> Arrays.stream(point)
                        .map(v -> ActivationOracle.value(function, v))
                        .sum());
    }

    @Test
    void conv2dGradientsMatchDifferences() {
        Conv2dOracle o = new Conv2dOracle(new Conv2d(2, 1, 1, 0, 2, 1, 2), 2, 6, 5, 4, 6, 3, 2);
        double[] x = normal(1, o.xSize());
        double[] weight = normal(2, o.weightSize());
        double[] bias = normal(3, 6);
        double[] dy = normal(4, o.ySize());
        assertGradient(o.backwardData(dy, weight), x, point -> dot(dy, o.forward(point, weight, bias)));
        assertGradient(o.backwardWeights(x, dy), weight, point -> dot(dy, o.forward(x, point, bias)));
        assertGradient(o.backwardBias(dy), bias, point -> dot(dy, o.forward(x, weight, point)));
    }

    @Test
    void conv2dOfAKnownImageIsKnown() {
        Conv2dOracle o = new Conv2dOracle(Conv2d.of(1, 1), 1, 2, 2, 1, 1, 3, 3);
        double[] weight = {1, 2, 3, 4, 5, 6, 7, 8, 9};
        assertThat(o.forward(new double[] {1, 10, 100, 1000}, weight, new double[] {0.5}))
                .containsExactly(
                        5 + 60 + 800 + 9000 + 0.5,
                        4 + 50 + 700 + 8000 + 0.5,
                        2 + 30 + 500 + 6000 + 0.5,
                        1 + 20 + 400 + 5000 + 0.5);
    }

    @Test
    void linearGradientsMatchDifferences() {
        LinearOracle o = new LinearOracle(3, 4, 5);
        double[] x = normal(1, 12);
        double[] weight = normal(2, 20);
        double[] bias = normal(3, 5);
        double[] dy = normal(4, 15);
        assertGradient(o.backwardData(dy, weight), x, point -> dot(dy, o.forward(point, weight, bias)));
        assertGradient(o.backwardWeights(x, dy), weight, point -> dot(dy, o.forward(x, point, bias)));
        assertGradient(o.backwardBias(dy), bias, point -> dot(dy, o.forward(x, weight, point)));
    }

    @Test
    void batchNormGradientsMatchDifferences() {
        ActivationFunction[] activations = {null, Pointwise.SILU, Pointwise.GELU, VeluParameters.released()};
        for (ActivationFunction activation : activations) {
            double w2Weight = activation instanceof VeluParameters ? 0.3 : 0;
            BatchNormOracle o = new BatchNormOracle(7, 3, 1e-5, 0.1, activation, 0.8, w2Weight);
            double[] x = normal(1, 21);
            double[] weight = normal(2, 3);
            double[] bias = normal(3, 3);
            double[] residual = normal(4, 21);
            double[] dy = normal(5, 21);
            BatchNormOracle.Backward gradient = o.backward(x, dy, weight, bias, residual);
            assertGradient(gradient.dx(), x, point -> loss(o, dy, o.training(point, weight, bias, residual)));
            assertGradient(gradient.dweight(), weight, point -> loss(o, dy, o.training(x, point, bias, residual)));
            assertGradient(gradient.dbias(), bias, point -> loss(o, dy, o.training(x, weight, point, residual)));
            assertGradient(gradient.dresidual(), residual, point -> loss(o, dy, o.training(x, weight, bias, point)));
        }
    }

    private static double loss(BatchNormOracle o, double[] dy, BatchNormOracle.Forward forward) {
        return dot(dy, forward.y())
                + (o.w2Weight() == 0 ? 0 : o.w2Weight() * forward.moments().w2());
    }

    @Test
    void runningStatisticsFollowTorchsRule() {
        BatchNormOracle o = new BatchNormOracle(3, 1, 1e-5, 0.1, null, 1, 0);
        double[] x = {1, 2, 6};
        assertThat(o.runningMean(x, new double[] {10})[0]).isCloseTo(0.9 * 10 + 0.1 * 3, within(1e-15));
        // The unbiased variance of 1, 2, 6 is 7.
        assertThat(o.runningVariance(x, new double[] {1})[0]).isCloseTo(0.9 + 0.1 * 7, within(1e-15));
    }

    @Test
    void poolingGradientsMatchDifferences() {
        Pool2dOracle o = new Pool2dOracle(new PoolWindow(3, 2, 2, 1, 1, 1), 2, 5, 4, 3);
        double[] x = normal(1, o.xSize());
        double[] dy = normal(2, o.ySize());
        assertGradient(
                o.maximumBackward(dy, o.maximum(x).argmax()),
                x,
                point -> dot(dy, o.maximum(point).y()));
        for (boolean includePadding : new boolean[] {false, true}) {
            assertGradient(
                    o.averageBackward(dy, includePadding), x, point -> dot(dy, o.average(point, includePadding)));
        }
        GlobalAvgPoolOracle global = new GlobalAvgPoolOracle(2, 5, 3);
        double[] image = normal(3, 30);
        double[] dmean = normal(4, 6);
        assertGradient(global.backward(dmean), image, point -> dot(dmean, global.forward(point)));
    }

    @Test
    void maximumPoolingPadsWithMinusInfinityTakesTheFirstOfEqualsAndKeepsNaN() {
        Pool2dOracle o = new Pool2dOracle(PoolWindow.of(3, 3, 1), 1, 2, 2, 1);
        assertThat(o.maximum(new double[] {-5, -3, -3, -4}).y()).containsExactly(-3);
        // Position 5 of the window: the first image row is its second row.
        assertThat(o.maximum(new double[] {-5, -3, -3, -4}).argmax()).containsExactly(5);
        assertThat(o.maximum(new double[] {1, Double.NaN, 3, 4}).y()).containsExactly(Double.NaN);
    }

    @Test
    void lossGradientMatchesDifferences() {
        int[] labels = {2, -1, 0, 4};
        SoftmaxCrossEntropyOracle o = new SoftmaxCrossEntropyOracle(4, 5, 0.1);
        double[] logits = normal(1, 20);
        assertGradient(o.backward(logits, labels, 1), logits, point -> o.loss(point, labels));
    }

    @Test
    void lossOfEqualLogitsIsTheLogarithmOfTheClasses() {
        double loss = new SoftmaxCrossEntropyOracle(2, 10, 0.1).loss(new double[20], new int[] {3, 4});
        assertThat(loss).isCloseTo(Math.log(10), within(1e-15));
    }

    @Test
    void topKRanksTheLowerClassFirstAndNaNAboveEverything() {
        double[] tie = {1, 1, 0};
        assertThat(TopKOracle.count(tie, new int[] {0}, 3, 1)).isEqualTo(1);
        assertThat(TopKOracle.count(tie, new int[] {1}, 3, 1)).isEqualTo(0);
        assertThat(TopKOracle.count(tie, new int[] {1}, 3, 2)).isEqualTo(1);
        assertThat(TopKOracle.count(new double[] {1, Double.NaN, 0}, new int[] {0}, 3, 1))
                .isEqualTo(0);
        assertThat(TopKOracle.count(new double[] {1, Double.NaN, 0}, new int[] {1}, 3, 3))
                .isEqualTo(0);
        assertThat(TopKOracle.count(tie, new int[] {-1}, 3, 3)).isEqualTo(0);
    }

    /** Three steps of torch 2.13 in float64 from p = 1, rate 0.1, gradients 0.5, -0.25 and 1. */
    @Test
    void optimizersGiveTorchsNumbers() {
        float eps = 0x1p-20f;
        assertThat(threeSteps(new OptimizerAlgorithm.Sgd(0.5f, false, 0.25f))).isCloseTo(0.749328125, within(1e-14));
        assertThat(threeSteps(new OptimizerAlgorithm.Sgd(0.5f, true, 0.25f))).isCloseTo(0.681560546875, within(1e-14));
        assertThat(threeSteps(new OptimizerAlgorithm.Adam(0.75f, 0.875f, eps, 0.25f)))
                .isCloseTo(0.7577524105660128, within(1e-14));
        assertThat(threeSteps(new OptimizerAlgorithm.AdamW(0.75f, 0.875f, eps, 0.25f)))
                .isCloseTo(0.7449638411694176, within(1e-14));
        // torch keeps the product of NAdam's momenta in float32.
        assertThat(threeSteps(new OptimizerAlgorithm.Nadam(0.75f, 0.875f, eps, 0.25f, 0x1p-8f)))
                .isCloseTo(0.7701003584241849, within(1e-8));
    }

    private static double threeSteps(OptimizerAlgorithm algorithm) {
        OptimizerOracle oracle = new OptimizerOracle(algorithm, GradientClip.NONE, new double[] {1});
        for (double gradient : new double[] {0.5, -0.25, 1}) {
            oracle.step(0.1, new double[] {gradient});
        }
        return oracle.parameters()[0];
    }

    @Test
    void gradientsAreClippedByNormAndThenByValue() {
        OptimizerOracle oracle =
                new OptimizerOracle(OptimizerAlgorithm.Sgd.defaults(), new GradientClip(0.7f, 1), new double[] {0, 0});
        oracle.step(1, new double[] {30, -40});
        assertThat(oracle.parameters()[0]).isCloseTo(-0.6, within(1e-6));
        assertThat(oracle.parameters()[1]).isCloseTo(0.7, within(1e-6));
    }

    /** The known answers of the authors' Random123. */
    @Test
    void philoxGivesItsPublishedTestVectors() {
        assertThat(PhiloxOracle.block(new int[4], 0, 0))
                .containsExactly(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
        assertThat(PhiloxOracle.block(new int[] {-1, -1, -1, -1}, -1, -1))
                .containsExactly(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
        assertThat(PhiloxOracle.block(
                        new int[] {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0))
                .containsExactly(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1);
    }

    @Test
    void normalNumbersHaveTheirMeanAndDeviation() {
        double[] values = PhiloxOracle.normal(1, 2, 40_000, 3, 2);
        double mean = Arrays.stream(values).average().orElseThrow();
        double variance = Arrays.stream(values)
                .map(v -> (v - mean) * (v - mean))
                .average()
                .orElseThrow();
        assertThat(mean).isCloseTo(3, within(0.05));
        assertThat(variance).isCloseTo(4, within(0.1));
    }

    @Test
    void attentionGradientMatchesDifferences() {
        AttentionOracle o = new AttentionOracle(2, 4, 2, 3, 0.6);
        double[] qkv = normal(1, o.qkvSize());
        double[] dy = normal(2, o.ySize());
        assertGradient(
                o.backward(qkv, dy).dqkv(),
                qkv,
                point -> dot(dy, o.forward(point).y()));
    }

    @Test
    void attentionToOneTokenGivesItsValue() {
        AttentionOracle o = new AttentionOracle(1, 1, 1, 2, 1);
        AttentionOracle.Forward forward = o.forward(new double[] {1, 2, 3, 4, 5, 6});
        assertThat(forward.y()).containsExactly(5, 6);
        assertThat(forward.logSumExp()).containsExactly(11);
    }

    @Test
    void layerNormGradientMatchesDifferences() {
        LayerNormOracle o = new LayerNormOracle(3, 7, 1e-3);
        double[] z = normal(1, 21);
        double[] weight = normal(2, 7);
        double[] bias = normal(3, 7);
        double[] dy = normal(4, 21);
        double[] addend = normal(5, 21);
        LayerNormOracle.Backward gradient = o.backward(z, dy, addend, weight);
        assertGradient(
                gradient.dz(),
                z,
                point -> dot(dy, o.forward(point, weight, bias).y()) + dot(addend, point));
        assertGradient(
                gradient.dweight(),
                weight,
                point -> dot(dy, o.forward(z, point, bias).y()));
        assertGradient(
                gradient.dbias(),
                bias,
                point -> dot(dy, o.forward(z, weight, point).y()));
    }

    @Test
    void scaledLinearGradientsMatchDifferences() {
        ScaledLinearOracle o = new ScaledLinearOracle(2, 3, 4, 5);
        double[] x = normal(1, o.xSize());
        double[] scale = normal(2, 8);
        double[] weight = normal(3, 20);
        double[] dy = normal(4, o.ySize());
        assertGradient(o.backwardX(scale, dy, weight), x, point -> dot(dy, o.forward(point, scale, weight)));
        assertGradient(o.backwardScale(x, dy, weight), scale, point -> dot(dy, o.forward(x, point, weight)));
        assertGradient(o.backwardWeights(x, scale, dy), weight, point -> dot(dy, o.forward(x, scale, point)));
    }

    @Test
    void channelScaleGradientsMatchDifferences() {
        ChannelScaleOracle o = new ChannelScaleOracle(2, 3, 4);
        double[] x = normal(1, o.xSize());
        double[] scale = normal(2, o.scaleSize());
        double[] dy = normal(3, o.xSize());
        assertGradient(o.forward(dy, scale), x, point -> dot(dy, o.forward(point, scale)));
        assertGradient(o.backwardScale(x, dy), scale, point -> dot(dy, o.forward(x, point)));
    }

    @Test
    void tokenEmbeddingGradientsMatchDifferences() {
        TokenEmbeddingOracle o = new TokenEmbeddingOracle(2, 3, 4);
        double[] x = normal(1, o.xSize());
        double[] classToken = normal(2, 4);
        double[] position = normal(3, o.positionSize());
        double[] dy = normal(4, o.ySize());
        assertGradient(o.backwardX(dy), x, point -> dot(dy, o.forward(point, classToken, position)));
        assertGradient(o.backwardPosition(dy), position, point -> dot(dy, o.forward(x, classToken, point)));
        assertGradient(
                Arrays.copyOf(o.backwardPosition(dy), 4), classToken, point -> dot(dy, o.forward(x, point, position)));
    }

    @Test
    void adaptiveAveragesHaveTorchsWindows() {
        AdaptiveAvgPool2dOracle o = new AdaptiveAvgPool2dOracle(1, 1, 5, 1, 1, 3);
        // Windows [0, 1], [1, 3], [3, 4].
        assertThat(o.forward(new double[] {1, 2, 3, 4, 6})).containsExactly(1.5, 3, 5);
        double[] x = normal(1, 5);
        double[] dy = normal(2, 3);
        assertGradient(o.backward(dy), x, point -> dot(dy, o.forward(point)));
    }
}
