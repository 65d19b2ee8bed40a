package dev.velu.trainer.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.velu.op.VeluParameters;
import dev.velu.selftest.oracle.VeluOracle;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ActivationCurveTest {
    private static double valueAt(ActivationCurve curve, double x) {
        for (int i = 0; i < curve.x().size(); i++) {
            if (Math.abs(curve.x().get(i) - x) < 1e-9) {
                return curve.y().get(i);
            }
        }
        throw new AssertionError("no point at " + x);
    }

    /** A point of the curve in a row of many channels whose mean square is 1. */
    private static double oracle(VeluParameters constants, double x) {
        int channels = 100_000;
        double[] row = new double[channels];
        Arrays.setAll(row, i -> i % 2 == 0 ? 1 : -1);
        row[0] = x;
        return new VeluOracle(constants, 1).forward(row, channels).y()[0];
    }

    @Test
    void veluIsTheFunctionInARowOfMeanSquareOne() {
        for (VeluParameters constants : new VeluParameters[] {
            VeluParameters.released(),
            VeluParameters.curve(),
            new VeluParameters(1, 1, 0.5f, 0.3f, 0.7f, 1e-6f, VeluParameters.Statistic.STD, null)
        }) {
            ActivationCurve curve = ActivationCurve.velu(constants);
            for (double x : new double[] {-4, -1.5, -0.5, 0, 1, 2.5, 4}) {
                assertThat(valueAt(curve, x)).isEqualTo(oracle(constants, x), within(1e-4));
            }
        }
    }

    @Test
    void aClampLimitsTheScale() {
        VeluParameters clamped = new VeluParameters(
                0, 1, 1, 0.5f, 1, 1e-6f, VeluParameters.Statistic.INVERSE_RMS, new VeluParameters.Clamp(0.5f, 1.25f));
        assertThat(valueAt(ActivationCurve.velu(clamped), 2)).isEqualTo(2 * 0.5 * 1.25, within(1e-9));
    }

    @ParameterizedTest
    @ValueSource(strings = {"velu", "relu", "relu6", "silu", "gelu"})
    void theSlopeIsThatOfTheCurve(String activation) {
        ActivationCurve curve = activation.equals("velu")
                ? ActivationCurve.velu(VeluParameters.released())
                : ActivationCurve.named(activation);
        for (int i = 1; i < curve.x().size() - 1; i++) {
            boolean kink = activation.startsWith("relu") && Math.abs(curve.x().get(i)) < 1e-9;
            double difference = (curve.y().get(i + 1) - curve.y().get(i - 1))
                    / (curve.x().get(i + 1) - curve.x().get(i - 1));
            if (!kink) {
                assertThat(curve.slope().get(i)).isEqualTo(difference, within(2e-3));
            }
        }
    }

    @Test
    void geluAndSiluHaveTheirKnownValues() {
        assertThat(valueAt(ActivationCurve.named("gelu"), 1)).isEqualTo(0.8413447460685429, within(1e-12));
        assertThat(valueAt(ActivationCurve.named("gelu"), -3)).isEqualTo(-0.00404969409489031, within(1e-12));
        assertThat(valueAt(ActivationCurve.named("silu"), 1)).isEqualTo(0.7310585786300049, within(1e-12));
    }

    @Test
    void anActivationThatHasNoNameHasNoCurve() {
        assertThat(ActivationCurve.named("default")).isNull();
    }
}
