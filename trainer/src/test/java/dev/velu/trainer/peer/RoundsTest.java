package dev.velu.trainer.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class RoundsTest {
    private final List<String> runs = new ArrayList<>();

    /** Takes as long as it says, without waiting. */
    private Contender taking(String name, double milliseconds) {
        return new Contender() {
            @Override
            public String name() {
                return name;
            }

            @Override
            public double[] run(int count) {
                runs.add(name + count);
                double[] times = new double[count];
                Arrays.fill(times, milliseconds);
                return times;
            }
        };
    }

    @Test
    void everybodyHasATurnInEveryRound() {
        List<Integer> done = new ArrayList<>();

        List<Timings> timings = new Rounds(2)
                .play(List.of(new Rounds.Entrant(taking("a", 1), 3), new Rounds.Entrant(taking("b", 2), 1)), done::add);

        assertThat(runs).containsExactly("a3", "b1", "a3", "b1");
        assertThat(done).containsExactly(1, 2);
        assertThat(timings).extracting(Timings::count).containsExactly(6, 2);
        assertThat(timings).extracting(Timings::median).containsExactly(1.0, 2.0);
    }

    @Test
    void aTurnLastsAboutAsLongAsAskedAndNoShorterThanItsLeastRuns() {
        assertThat(Rounds.Entrant.lasting(taking("fast", 0.5), 2, 100, 3).runs())
                .isEqualTo(200);
        assertThat(Rounds.Entrant.lasting(taking("slow", 900), 2, 100, 3).runs())
                .isEqualTo(3);
    }

    @Test
    void noRoundsAreRefused() {
        assertThatThrownBy(() -> new Rounds(0)).hasMessage("number of rounds 0 is not positive");
    }

    @Test
    void theSpreadIsTheMiddleHalfAsAFractionOfTheMedian() {
        Timings timings = Timings.of(new double[] {8, 1, 2, 3, 4, 5, 6, 7});

        assertThat(timings.median()).isEqualTo(5);
        assertThat(timings.spread()).isEqualTo((6.0 - 3) / 5);
        assertThat(timings.quantile(0.9)).isEqualTo(8);
        assertThat(timings.quantile(0)).isEqualTo(1);
    }

    @Test
    void aRatioAboveOneIsOursBetterForRatesAndForTimes() {
        Timings ours = Timings.of(new double[] {10});
        Timings peer = Timings.of(new double[] {25});

        Comparison rates = Comparison.rates("x", "images/s", 4, ours, peer);
        assertThat(rates.ours()).isEqualTo(400);
        assertThat(rates.peer()).isEqualTo(160);
        assertThat(rates.ratio()).isEqualTo(rates.ours() / rates.peer());
        Comparison times = Comparison.milliseconds("x", ours, peer);
        assertThat(times.ours()).isEqualTo(10);
        assertThat(times.ratio()).isCloseTo(2.5, within(1e-12));
    }
}
