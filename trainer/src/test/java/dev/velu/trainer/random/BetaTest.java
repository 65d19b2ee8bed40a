package dev.velu.trainer.random;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BetaTest {
    /** A beta distribution with equal parameters has mean 1/2 and variance 1 / (4 (2 alpha + 1)). */
    @ParameterizedTest
    @ValueSource(doubles = {0.01, 0.2, 1, 5, 1000})
    void meanAndVarianceAreThoseOfTheDistribution(double alpha) {
        SplitMix random = SplitMix.of(3, 0, 0);
        int draws = 20_000;
        double sum = 0;
        double squares = 0;
        for (int i = 0; i < draws; i++) {
            double x = Beta.draw(alpha, random);
            assertThat(x).isBetween(0.0, 1.0);
            sum += x;
            squares += (x - 0.5) * (x - 0.5);
        }
        double variance = 1 / (4 * (2 * alpha + 1));
        assertThat(sum / draws).isCloseTo(0.5, within(4 * Math.sqrt(variance / draws)));
        assertThat(squares / draws).isCloseTo(variance, within(0.05 * variance));
    }
}
