package dev.velu.trainer.profile;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.velu.models.StepProfile;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class ProfileReportTest {
    private static final Offset<Double> EXACTLY = within(1e-9);

    private static ProfileReport report(int steps) {
        return ProfileReport.of(SampleProfile.profile(steps), SampleProfile.conditions());
    }

    @Test
    void timesAreMediansOverTheSteps() {
        ProfileReport report = report(3);
        assertThat(report.steps()).isEqualTo(3);
        assertThat(report.nativeMilliseconds()).isCloseTo(11, EXACTLY);
        assertThat(report.callMilliseconds()).isCloseTo(11, EXACTLY);
        assertThat(report.stepMilliseconds()).isCloseTo(13.1, EXACTLY);
        assertThat(report.imagesPerSecond()).isCloseTo(4 / 13.1e-3, within(1e-6));
        assertThat(report.calls().getFirst().milliseconds()).isCloseTo(1.1, EXACTLY);
        assertThat(report.calls().getFirst().minMilliseconds()).isCloseTo(1, EXACTLY);
        assertThat(report.calls().getFirst().maxMilliseconds()).isCloseTo(1.2, EXACTLY);
    }

    @Test
    void theMedianOfTwoStepsLiesBetweenThem() {
        assertThat(report(2).nativeMilliseconds()).isCloseTo(10.5, EXACTLY);
    }

    @Test
    void whatIsOutsideNativeCallsIsTheRestOfTheStep() {
        ProfileReport report = report(1);
        HostTime host = report.host();
        assertThat(host.batch()).isCloseTo(1, EXACTLY);
        assertThat(host.copy()).isCloseTo(0.5, EXACTLY);
        assertThat(host.dispatch()).isCloseTo(0.4, EXACTLY);
        assertThat(host.results()).isCloseTo(0.2, EXACTLY);
        assertThat(host.total()).isCloseTo(2.1, EXACTLY);
        assertThat(host.total() + report.nativeMilliseconds()).isCloseTo(report.stepMilliseconds(), EXACTLY);
        assertThat(host.share()).isCloseTo(2.1 / 12.1, EXACTLY);
    }

    @Test
    void operationsAndLayersComeLongestFirstAndPhasesInOrder() {
        ProfileReport report = report(1);
        assertThat(report.operations())
                .extracting(Line::name)
                .containsExactly("optimizer_step", "conv2d_backward_weights", "add_forward", "conv2d_forward");
        assertThat(report.layers())
                .extracting(Line::name)
                .containsExactlyInAnyOrder("conv1", "optimizer", ProfileReport.NETWORK);
        assertThat(report.phases()).extracting(Line::name).containsExactly("forward", "backward", "optimizer");
        for (List<Line> lines : List.of(report.operations(), report.layers(), report.phases())) {
            assertThat(lines.stream().mapToInt(Line::calls).sum()).isEqualTo(4);
            assertThat(lines.stream().mapToDouble(Line::milliseconds).sum())
                    .isCloseTo(report.callMilliseconds(), EXACTLY);
        }
    }

    @Test
    void ratesAreThoseOfTheCallsTogether() {
        Line conv1 = report(1).layers().stream()
                .filter(line -> line.name().equals("conv1"))
                .findFirst()
                .orElseThrow();
        // 100 MFLOP and 2 MB in 4 ms.
        assertThat(conv1.gigaflops()).isCloseTo(25, EXACTLY);
        assertThat(conv1.gigaflopsShare()).isCloseTo(0.25, EXACTLY);
        assertThat(conv1.gigabytesPerSecond()).isCloseTo(0.5, EXACTLY);
        assertThat(conv1.gigabytesShare()).isCloseTo(0.05, EXACTLY);
        assertThat(conv1.limitShare()).isCloseTo(0.25, EXACTLY);
    }

    @Test
    void eachCallIsHeldAgainstTheLimitThatBindsIt() {
        // forward: 0.5 ms of arithmetic in 1 ms, and 1 ms of memory in 2 ms.
        Line forward = report(1).phases().getFirst();
        assertThat(forward.limitShare()).isCloseTo(1.5 / 3, EXACTLY);
        assertThat(forward.gigaflopsShare()).isCloseTo(0.5 / 3, EXACTLY);
        assertThat(forward.gigabytesShare()).isCloseTo(1.1 / 3, EXACTLY);
    }

    @Test
    void severalLinesTogetherAreTheirSum() {
        ProfileReport report = report(1);
        Line all = Line.together("all", report.operations());
        Line phases = Line.together("all", report.phases());
        assertThat(all.calls()).isEqualTo(4);
        assertThat(all.milliseconds()).isCloseTo(10, EXACTLY);
        assertThat(all.gigaflops()).isCloseTo(10, EXACTLY);
        assertThat(all.gigaflops()).isCloseTo(phases.gigaflops(), EXACTLY);
        assertThat(all.limitShare()).isCloseTo(phases.limitShare(), EXACTLY);
    }

    @Test
    void aProfileWithoutStepsIsRefused() {
        StepProfile empty = new StepProfile(List.of(), List.of());
        assertThatIllegalArgumentException()
                .isThrownBy(() -> ProfileReport.of(empty, SampleProfile.conditions()))
                .withMessageContaining("no step was recorded");
    }
}
