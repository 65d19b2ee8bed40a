package dev.velu.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Phase;
import dev.velu.graph.PlannedCall;
import dev.velu.optim.GradientClip;
import dev.velu.optim.Optimizer;
import dev.velu.optim.OptimizerAlgorithm;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class StepRecorderTest {
    private static final float RATE = 0.1f;

    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final MemorySegment images = context.allocateHost(TinyNetwork.IMAGE_BYTES);
    private final MemorySegment labels = context.allocateHost(TinyNetwork.LABEL_BYTES);

    private TrainingStep tiny() {
        Network network = TinyNetwork.on(context, true);
        Optimizer optimizer =
                new Optimizer(network.parameters(), OptimizerAlgorithm.Sgd.defaults(), new GradientClip(0, 1), context);
        return new TrainingStep(network, context, optimizer, 0);
    }

    private void run(TrainingStep step, int number) {
        TinyNetwork.batch(number, images, labels);
        step.run(images, labels, RATE);
    }

    private StepProfile record(TrainingStep step, int steps) {
        try (StepRecorder recorder = step.record(steps)) {
            for (int i = 0; !recorder.isComplete(); i++) {
                recorder.begin();
                run(step, i);
                recorder.end();
            }
            return recorder.profile();
        }
    }

    @Test
    void theNativeCallsLieOneAfterAnotherWithinTheirStep() {
        try (TrainingStep step = tiny()) {
            StepProfile profile = record(step, 3);
            assertThat(profile.steps()).hasSize(3);
            long last = 0;
            for (StepProfile.Step recorded : profile.steps()) {
                List<Long> moments =
                        new ArrayList<>(List.of(last, recorded.begin(), recorded.submitted(), recorded.copied()));
                for (int i = 0; i < profile.calls().size(); i++) {
                    moments.add(recorded.callBegins().get(i));
                    moments.add(recorded.callEnds().get(i));
                }
                moments.add(recorded.computed());
                moments.add(recorded.end());
                assertThat(moments).isSorted();
                assertThat(recorded.nativeNanos()).isPositive().isLessThan(recorded.nanos());
                last = recorded.end();
            }
        }
    }

    @Test
    void everyPhaseAndLayerIsThere() {
        try (TrainingStep step = tiny()) {
            List<PlannedCall> calls = record(step, 1).calls();
            assertThat(calls)
                    .extracting(PlannedCall::phase)
                    .contains(Phase.values())
                    .isSorted();
            assertThat(calls)
                    .extracting(PlannedCall::scope)
                    .contains("conv1", "bn1", "pool", "avgpool", "fc", "optimizer");
            assertThat(calls)
                    .filteredOn(call -> call.operation().endsWith("_backward"))
                    .isNotEmpty()
                    .allMatch(call ->
                            call.phase() == Phase.BACKWARD || call.operation().startsWith("softmax"));
        }
    }

    @Test
    void recordedStepsLearnWhatOthersDo() {
        try (TrainingStep plain = tiny();
                TrainingStep recorded = tiny()) {
            StepRecorder recorder = recorded.record(2);
            for (int i = 0; i < 4; i++) {
                run(plain, i);
                if (!recorder.isComplete()) {
                    recorder.begin();
                }
                run(recorded, i);
                if (!recorder.isComplete()) {
                    recorder.end();
                }
                assertThat(recorded.loss()).as("loss of step %d", i).isEqualTo(plain.loss());
            }
        }
    }

    @Test
    void aStepThatWasNotSubmittedCannotEnd() {
        try (TrainingStep step = tiny();
                StepRecorder recorder = step.record(2)) {
            recorder.begin();
            assertThatIllegalStateException().isThrownBy(recorder::end).withMessageContaining("submit one");
            run(step, 0);
            recorder.end();
            recorder.begin();
            assertThatIllegalStateException().isThrownBy(recorder::end).withMessageContaining("submit one");
            assertThat(recorder.profile().steps()).hasSize(1);
        }
    }

    @Test
    void aRecordingThatIsClosedEndsThere() {
        try (TrainingStep step = tiny()) {
            StepRecorder recorder = step.record(2);
            recorder.begin();
            run(step, 0);
            recorder.end();
            recorder.close();
            run(step, 1);
            assertThat(recorder.steps()).isOne();
        }
    }

    @Test
    void noStepsAreRefused() {
        try (TrainingStep step = tiny()) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> step.record(0))
                    .withMessage("number of steps 0 to record is not positive");
        }
    }
}
