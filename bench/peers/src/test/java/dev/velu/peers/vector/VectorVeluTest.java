package dev.velu.peers.vector;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.velu.op.VeluParameters;
import dev.velu.peers.VeluConstants;
import dev.velu.selftest.oracle.VeluOracle;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Against the formula in float64. */
class VectorVeluTest {
    private static final float W2_WEIGHT = 0.25f;

    private static VeluConstants constants(VeluParameters of) {
        return new VeluConstants(
                of.alpha(), of.beta1(), of.beta2(), of.gamma(), of.mu(), of.eps(), "inverse_rms", null, null);
    }

    private static float[] normal(int count, float std, int seed) {
        Random random = new Random(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) (std * random.nextGaussian());
        }
        return values;
    }

    private static double[] wide(float[] values) {
        double[] wide = new double[values.length];
        for (int i = 0; i < wide.length; i++) {
            wide[i] = values[i];
        }
        return wide;
    }

    /**
     * Rows that the polynomials serve, rows that they do not, and both beside each other; whole vectors and rests. The full formula
     * at alpha 2 is in plain float32, so it is allowed a little more than our kernels are.
     */
    @ParameterizedTest
    @CsvSource({
        "released, 300, 64, 1, 2e-6, 4e-6",
        "released, 37, 257, 1, 2e-6, 4e-6",
        "released, 64, 33, 3, 2e-6, 4e-6",
        "released, 9, 1, 20, 2e-6, 4e-6",
        "curve, 300, 64, 1, 6e-6, 2e-5",
        "curve, 37, 257, 1, 6e-6, 2e-5",
        "curve, 20, 31, 0.1, 6e-6, 2e-5"
    })
    void valuesAndGradientsAreTheFormulas(
            String name, int rows, int channels, float std, double tolerance, double gradientTolerance) {
        VeluParameters parameters = name.equals("curve") ? VeluParameters.curve() : VeluParameters.released();
        float lambda = 0.75f;
        float[] x = normal(rows * channels, std, 1);
        float[] dy = normal(rows * channels, 1, 2);
        float[] y = new float[x.length];
        float[] dx = new float[x.length];
        VectorVelu.Moments moments;
        double dlambda;
        try (Team team = new Team(2)) {
            VectorVelu velu = new VectorVelu(constants(parameters), rows, channels, team);
            moments = velu.forward(x, lambda, y);
            dlambda = velu.backward(x, dy, lambda, W2_WEIGHT, moments, dx);
        }

        VeluOracle oracle = new VeluOracle(parameters, lambda);
        VeluOracle.Forward forward = oracle.forward(wide(x), channels);
        VeluOracle.Backward backward = oracle.backward(wide(x), wide(dy), channels, W2_WEIGHT);
        for (int i = 0; i < x.length; i++) {
            assertThat((double) y[i])
                    .as("y[%d] of x = %s", i, x[i])
                    .isCloseTo(forward.y()[i], within(tolerance * Math.abs(forward.y()[i]) + 1e-7));
            assertThat((double) dx[i])
                    .as("dx[%d] of x = %s", i, x[i])
                    .isCloseTo(backward.dx()[i], within(gradientTolerance * backward.dxMagnitude()[i] + 1e-7));
        }
        assertThat(moments.mean()).isCloseTo(forward.mean(), within(1e-5));
        assertThat(moments.std()).isCloseTo(forward.std(), within(1e-5 * Math.max(1, forward.std())));
        assertThat(moments.w2()).isCloseTo(forward.w2(), within(1e-5 * Math.max(1, forward.w2())));
        assertThat(dlambda)
                .isCloseTo(backward.dlambda(), within(gradientTolerance * backward.dlambdaMagnitude() + 1e-7));
    }

    @Test
    void whatItDoesNotServeIsRefusedByName() {
        try (Team team = new Team(1)) {
            VeluConstants std = new VeluConstants(1, 1, 1, 0, 1, 1e-6, "std", null, null);
            assertThatThrownBy(() -> new VectorVelu(std, 1, 1, team)).hasMessageContaining("statistic=std");
            assertThatThrownBy(() -> new VectorVelu(constants(VeluParameters.released()), 0, 64, team))
                    .hasMessageContaining("shape 0 x 64");
        }
    }
}
