package dev.velu.trainer.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Against numbers that R 4 prints for the data sets of its own documentation. */
class SignificanceTest {
    /** {@code sleep}: extra hours with two drugs (A. R. Cushny and A. R. Peebles, 1905). */
    private static final double[] FIRST_DRUG = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};

    private static final double[] SECOND_DRUG = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};

    /** The depression scale of {@code ?wilcox.test} (M. Hollander and D. A. Wolfe, 1973). */
    private static final double[] BEFORE = {1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30};

    private static final double[] AFTER = {0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29};

    /** {@code RoundingTimes} of {@code ?friedman.test}. */
    private static final double[] ROUNDING = {
        5.40, 5.50, 5.55, 5.85, 5.70, 5.75, 5.20, 5.60, 5.50, 5.55, 5.50, 5.40, 5.90, 5.85, 5.70, 5.45, 5.55, 5.60,
                5.40,
        5.40, 5.35, 5.45, 5.50, 5.35, 5.25, 5.15, 5.00, 5.85, 5.80, 5.70, 5.25, 5.20, 5.10, 5.65, 5.55, 5.45, 5.60,
                5.35,
        5.45, 5.05, 5.00, 4.95, 5.50, 5.50, 5.40, 5.45, 5.55, 5.50, 5.55, 5.55, 5.35, 5.45, 5.50, 5.55, 5.50, 5.45,
                5.25,
        5.65, 5.60, 5.40, 5.70, 5.65, 5.55, 6.30, 6.30, 6.25
    };

    private static PairedTest test(double[] ours, double[] theirs) {
        return PairedTest.of("m", "d", "velu", "relu", ours, theirs);
    }

    @Test
    void pairedTestOfTheSleepDataIsThatOfR() {
        PairedTest test = test(FIRST_DRUG, SECOND_DRUG);

        assertThat(test.pairs()).isEqualTo(10);
        assertThat(test.meanDifference()).isCloseTo(-1.58, within(1e-12));
        assertThat(test.t()).isCloseTo(-4.0621, within(5e-5));
        assertThat(test.tP()).isCloseTo(0.002833, within(5e-7));
        assertThat(test.low()).isCloseTo(-2.4598858, within(5e-8));
        assertThat(test.high()).isCloseTo(-0.7001142, within(5e-8));
        assertThat(test.effectSize()).isCloseTo(-4.0621 / Math.sqrt(10), within(5e-5));
    }

    @Test
    void signedRankTestOfTheDepressionDataIsThatOfR() {
        PairedTest test = test(BEFORE, AFTER);

        assertThat(test.wilcoxon()).isEqualTo(40);
        assertThat(test.wilcoxonP()).isCloseTo(0.0390625, within(1e-12));
    }

    @Test
    void friedmanTestOfTheRoundingTimesIsThatOfRWithItsCorrectionForTies() {
        List<double[]> blocks = new ArrayList<>();
        for (int i = 0; i < ROUNDING.length; i += 3) {
            blocks.add(Arrays.copyOfRange(ROUNDING, i, i + 3));
        }

        FriedmanTest test = FriedmanTest.of(blocks, 3);

        assertThat(test.blocks()).isEqualTo(22);
        assertThat(test.degreesOfFreedom()).isEqualTo(2);
        assertThat(test.statistic()).isCloseTo(11.143, within(5e-4));
        assertThat(test.p()).isCloseTo(0.003805, within(5e-7));
    }

    @Test
    void holmsCorrectionIsThatOfPAdjust() {
        assertThat(Holm.correct(List.of(0.01, 0.02, 0.03, 0.04))).containsExactly(0.04, 0.06, 0.06, 0.06);
        assertThat(Holm.correct(List.of(0.5, 0.001, 0.7))).containsExactly(1.0, 0.003, 1.0);
    }

    @Test
    void whatWasNotTestedIsNoneOfTheComparisons() {
        assertThat(Holm.correct(Arrays.asList(0.02, null, 0.01))).containsExactly(0.02, null, 0.02);
    }

    @Test
    void onePairIsNotTestedAndSaysWhy() {
        PairedTest test = test(new double[] {0.9}, new double[] {0.8});

        assertThat(test.meanDifference()).isCloseTo(0.1, within(1e-12));
        assertThat(test.tP()).isNull();
        assertThat(test.low()).isNull();
        assertThat(test.note()).isEqualTo("needs at least two seeds");
    }

    @Test
    void equalDifferencesAreNotTestedAndSayWhy() {
        PairedTest test = test(new double[] {0.9, 0.8, 0.7}, new double[] {0.8, 0.7, 0.6});

        assertThat(test.tP()).isNull();
        assertThat(test.wilcoxonP()).isNull();
        assertThat(test.note()).isEqualTo("all differences are equal");
    }

    @Test
    void friedmanTestOfEqualActivationsSaysSo() {
        List<double[]> equal = List.of(new double[] {1, 1, 1}, new double[] {2, 2, 2});

        assertThat(FriedmanTest.of(equal, 3).p()).isNull();
        assertThat(FriedmanTest.of(equal, 3).note()).contains("equal");
    }

    @Test
    void fivePairsCannotReachFivePercentInTheSignedRankTest() {
        assertThat(PairedTest.smallestWilcoxonP(5)).isEqualTo(0.0625);
        assertThat(PairedTest.smallestWilcoxonP(6)).isEqualTo(0.03125);
        assertThat(test(new double[] {1, 2, 4, 8, 16}, new double[5]).wilcoxonP())
                .isEqualTo(0.0625);
    }

    @Test
    void equalsShareTheMeanOfTheirPlaces() {
        assertThat(MeanRank.places(new double[] {0.5, 0.9, 0.9, 0.1}, true)).containsExactly(3, 1.5, 1.5, 4);
        assertThat(MeanRank.places(new double[] {0.5, 0.9}, false)).containsExactly(1, 2);
    }
}
