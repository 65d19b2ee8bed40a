package dev.velu.selftest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class SelfTestTest {
    static List<Isa> instructionSets() {
        return SelfTest.instructionSets(Device.cpu());
    }

    @ParameterizedTest
    @MethodSource("instructionSets")
    void everyOperationIsWithinItsToleranceWithEveryInstructionSet(Isa isa) {
        try (Context context = Context.open(Device.cpu(), 2, isa)) {
            List<Result> results = SelfTest.run(context);
            assertThat(results).isNotEmpty().allMatch(Result::pass);
        }
    }

    @Test
    void saysWhatTheCpuCannotBeAsked() {
        List<NotRun> notRun = new ArrayList<>();
        try (Context context = Context.open(Device.cpu())) {
            SelfTest.run(context, true, result -> {}, notRun::add);
        }
        assertThat(notRun.stream().map(NotRun::what))
                .contains("graph: recorded and replayed equals call by call", "arithmetic in BF16");
        assertThat(notRun.stream().map(NotRun::reason)).allMatch(reason -> reason.contains("cpu"));
    }
}
