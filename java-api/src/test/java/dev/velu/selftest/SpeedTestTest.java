package dev.velu.selftest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class SpeedTestTest {
    private static final SpeedTest.Sizes TINY = new SpeedTest.Sizes(1 << 16, 1, 64, 16);

    @Test
    void everyOperationThatIsCheckedIsTimedToo() {
        List<Limits> limits = new ArrayList<>();
        List<Measurement> measurements = new ArrayList<>();
        List<Result> checks = new ArrayList<>();
        try (Context context = Context.open(Device.cpu())) {
            SpeedTest.run(context, TINY, limits::add, measurements::add, notRun -> {});
            SelfTest.run(context, true, checks::add, notRun -> {});
        }

        assertThat(limits).hasSize(1);
        assertThat(limits.getFirst().memoryBytesPerSecond()).isPositive();
        assertThat(measurements).allSatisfy(m -> {
            assertThat(m.milliseconds()).isPositive();
            assertThat(m.spread()).isNotNegative();
            assertThat(m.share()).isPositive();
        });
        assertThat(measurements.stream().map(Measurement::operation).collect(Collectors.toSet()))
                .containsAll(checks.stream()
                        .map(Result::operation)
                        // Dropout is its own gradient; events and graphs are no operations.
                        .filter(operation ->
                                !List.of("dropout_backward", "events", "graph").contains(operation))
                        .collect(Collectors.toSet()));
    }

    @Test
    void theShareIsOfWhicheverLimitTakesLonger() {
        Limits limits = new Limits(100, Map.of(DType.F32, 1000.0));

        assertThat(limits.seconds(DType.F32, 200, 1000)).isEqualTo(2);
        assertThat(limits.memoryBound(DType.F32, 200, 1000)).isTrue();
        assertThat(limits.seconds(DType.F32, 200, 5000)).isEqualTo(5);
        assertThat(limits.memoryBound(DType.F32, 200, 5000)).isFalse();
        assertThat(limits.seconds(DType.BF16, 200, 5000)).isEqualTo(2);
    }
}
