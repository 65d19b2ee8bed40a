package dev.velu.selftest;

import dev.velu.op.TokenEmbedding;
import dev.velu.selftest.oracle.TokenEmbeddingOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.util.Arrays;

/** Class token and position embedding. */
final class TokenEmbeddingCheck {
    /** Images, patches, channels. */
    private static final int[][] SHAPES = {{1, 1, 1}, {3, 4, 33}, {2, 196, 31}, {31, 9, 64}, {1, 3, 257}};

    private TokenEmbeddingCheck() {}

    static void run(Probe probe) {
        for (int[] s : SHAPES) {
            check(probe, new TokenEmbeddingOracle(s[0], s[1], s[2]));
        }
    }

    private static void check(Probe probe, TokenEmbeddingOracle o) {
        int channels = o.channels();
        TokenEmbedding operation = new TokenEmbedding();
        String name = o.batch() + "x" + o.patches() + "x" + channels;
        long[] xShape = {o.batch(), o.patches(), channels};
        long[] yShape = {o.batch(), o.patches() + 1, channels};
        probe.trial("token_embedding_forward", name, trial -> {
            float[] x = probe.data(Numbers.normal(1, o.xSize(), 1));
            float[] classToken = Numbers.normal(2, channels, 1);
            float[] position = Numbers.normal(3, o.positionSize(), 0.02);
            Tensor y = trial.result(yShape);
            operation.forward(
                    trial.context(),
                    trial.data(x, xShape),
                    trial.input(classToken, 1, 1, channels),
                    trial.input(position, 1, o.patches() + 1, channels),
                    y);
            trial.compareExactly(
                    "y",
                    y,
                    Numbers.narrow(o.forward(Numbers.wide(x), Numbers.wide(classToken), Numbers.wide(position))));
        });
        probe.trial("token_embedding_backward", name, trial -> {
            float[] dy = probe.data(Numbers.normal(4, o.ySize(), 1));
            Tensor dx = trial.result(xShape);
            Tensor dclassToken = trial.output(DType.F32, 1, 1, channels);
            Tensor dposition = trial.output(DType.F32, 1, o.patches() + 1, channels);
            operation.backward(trial.context(), trial.data(dy, yShape), dx, dclassToken, dposition);
            trial.compareExactly("dx", dx, Numbers.narrow(o.backwardX(Numbers.wide(dy))));
            double[] sums = o.backwardPosition(Numbers.wide(dy));
            double[] magnitude = o.backwardPosition(Numbers.absolute(dy));
            trial.compare("dposition", dposition, sums, magnitude, Tolerances.SUM_OF_PRODUCTS);
            trial.compare(
                    "dclassToken",
                    dclassToken,
                    Arrays.copyOf(sums, channels),
                    Arrays.copyOf(magnitude, channels),
                    Tolerances.SUM_OF_PRODUCTS);
        });
    }
}
