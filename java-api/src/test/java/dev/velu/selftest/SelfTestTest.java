package dev.velu.selftest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.DeviceInfo;
import dev.velu.device.Isa;
import dev.velu.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
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
        assertThat(notRun.stream().map(NotRun::what)).contains("graph: recorded and replayed equals call by call");
        assertThat(notRun.stream().map(NotRun::reason))
                .allMatch(reason -> reason.toLowerCase(Locale.ROOT).contains("cpu"));
    }

    @Test
    void checksBfloat16OnACpuThatComputesInIt() {
        assumeTrue(DeviceInfo.query(Device.cpu()).bfloat16(), "the processor has no AVX512_BF16");
        List<NotRun> notRun = new ArrayList<>();
        List<Result> results = new ArrayList<>();
        try (Context context = Context.open(Device.cpu())) {
            SelfTest.run(context, true, results::add, notRun::add);
        }
        assertThat(results).filteredOn(result -> result.dtype() == DType.BF16).isNotEmpty();
        assertThat(notRun.stream().map(NotRun::what)).noneMatch(what -> what.contains("BF16"));
    }

    @Test
    void saysWhyACpuDoesNotComputeInBfloat16() {
        List<NotRun> notRun = new ArrayList<>();
        try (Context context = Context.open(Device.cpu(), 2, Isa.BASELINE)) {
            SelfTest.run(context, true, result -> {}, notRun::add);
        }
        assertThat(notRun)
                .filteredOn(entry -> entry.what().equals("arithmetic in BF16"))
                .singleElement()
                .matches(entry ->
                        entry.reason().contains("AVX") && entry.reason().contains("use float32"));
    }
}
