package dev.velu.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class ScheduleTest {
    private static double rate(Schedule schedule, long step) {
        return schedule.learningRate(0.1, step, 10, 100);
    }

    @Test
    void constantKeepsTheBaseRate() {
        assertThat(rate(new Schedule.Constant(), 0)).isEqualTo(0.1);
        assertThat(rate(new Schedule.Constant(), 99)).isEqualTo(0.1);
    }

    @Test
    void stepChangesAtTheFirstStepOfAnEpoch() {
        Schedule schedule = new Schedule.Step(3, 0.5);
        assertThat(rate(schedule, 29)).isEqualTo(0.1);
        assertThat(rate(schedule, 30)).isEqualTo(0.05);
        assertThat(rate(schedule, 60)).isEqualTo(0.025);
    }

    @Test
    void cosineFallsFromTheBaseRateThroughHalfToTheFinalFraction() {
        Schedule schedule = new Schedule.Cosine(0.2);
        assertThat(rate(schedule, 0)).isCloseTo(0.1, within(1e-15));
        assertThat(rate(schedule, 50)).isCloseTo(0.06, within(1e-15));
        assertThat(rate(schedule, 100)).isCloseTo(0.02, within(1e-15));
    }

    @Test
    void cosineStaysAtItsEndAfterTheLastStep() {
        assertThat(rate(new Schedule.Cosine(0.2), 150)).isCloseTo(0.02, within(1e-15));
    }

    @Test
    void warmUpRisesInAStraightLineAndItsLastStepReachesTheBaseRate() {
        Schedule schedule = new Schedule.WarmUp(4, new Schedule.Constant());
        assertThat(rate(schedule, 0)).isCloseTo(0.025, within(1e-15));
        assertThat(rate(schedule, 1)).isCloseTo(0.05, within(1e-15));
        assertThat(rate(schedule, 3)).isCloseTo(0.1, within(1e-15));
        assertThat(rate(schedule, 4)).isEqualTo(0.1);
    }

    @Test
    void theScheduleAfterAWarmUpRunsOverTheStepsThatAreLeft() {
        Schedule schedule = new Schedule.WarmUp(20, new Schedule.Cosine(0));
        assertThat(rate(schedule, 20)).isCloseTo(0.1, within(1e-15));
        assertThat(rate(schedule, 60)).isCloseTo(0.05, within(1e-15));
        assertThat(rate(schedule, 100)).isCloseTo(0, within(1e-15));
    }

    @Test
    void aWarmUpLongerThanTheRunStaysOnTheLine() {
        Schedule schedule = new Schedule.WarmUp(1000, new Schedule.Cosine(0));
        assertThat(rate(schedule, 99)).isCloseTo(0.01, within(1e-15));
    }

    @Test
    void aWarmUpOfZeroStepsIsNone() {
        assertThat(rate(new Schedule.WarmUp(0, new Schedule.Constant()), 0)).isEqualTo(0.1);
    }

    @Test
    void valuesOutsideTheirRangeAreNamed() {
        assertThatThrownBy(() -> new Schedule.Step(0, 0.5)).hasMessage("step size of 0 epochs is not positive");
        assertThatThrownBy(() -> new Schedule.Step(1, 0))
                .hasMessageContaining("0.0")
                .hasMessageContaining("(0, 1]");
        assertThatThrownBy(() -> new Schedule.Step(1, Double.NaN)).hasMessageContaining("NaN");
        assertThatThrownBy(() -> new Schedule.Cosine(1.5)).hasMessageContaining("1.5");
        assertThatThrownBy(() -> new Schedule.WarmUp(-1, new Schedule.Constant()))
                .hasMessageContaining("-1");
        assertThatThrownBy(() -> new Schedule.WarmUp(1, new Schedule.WarmUp(1, new Schedule.Constant())))
                .hasMessageContaining("WarmUp");
        Schedule constant = new Schedule.Constant();
        assertThatThrownBy(() -> constant.learningRate(Double.NaN, 0, 1, 1)).hasMessageContaining("NaN");
        assertThatThrownBy(() -> constant.learningRate(-1, 0, 1, 1)).hasMessageContaining("-1");
        assertThatThrownBy(() -> constant.learningRate(1, -1, 1, 1)).hasMessageContaining("step -1");
        assertThatThrownBy(() -> constant.learningRate(1, 0, 0, 1)).hasMessageContaining("steps per epoch 0");
        assertThatThrownBy(() -> constant.learningRate(1, 0, 1, 0)).hasMessageContaining("total steps 0");
    }
}
