package dev.velu.trainer.profile;

import dev.velu.graph.Phase;
import dev.velu.graph.PlannedCall;
import dev.velu.models.StepProfile;
import dev.velu.selftest.Limits;
import dev.velu.tensor.DType;
import dev.velu.tensor.TensorType;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** Steps of four calls whose times are known: 1, 2, 3 and 4 ms in the first step, a tenth more in each that follows. */
final class SampleProfile {
    private static final long MILLI = 1_000_000;
    private static final TensorType X = TensorType.f32(2, 8);

    private SampleProfile() {}

    /** 10 GB/s and 100 GFLOP/s. */
    static Conditions conditions() {
        return new Conditions(
                "tiny",
                "velu",
                "fp32",
                false,
                "sgd",
                "cpu",
                "a processor",
                2,
                8,
                4,
                new Limits(10e9, Map.of(DType.F32, 100e9)));
    }

    static PlannedCall call(String operation, String scope, Phase phase, long bytes, long flops) {
        return new PlannedCall(operation, scope, phase, List.of(X), List.of(X), bytes, flops);
    }

    static StepProfile profile(int steps) {
        List<PlannedCall> calls = List.of(
                call("conv2d_forward", "conv1", Phase.FORWARD, 1_000_000, 50_000_000),
                call("add_forward", "", Phase.FORWARD, 10_000_000, 0),
                call("conv2d_backward_weights", "conv1", Phase.BACKWARD, 1_000_000, 50_000_000),
                call("optimizer_step", "optimizer", Phase.OPTIMIZER, 4_000_000, 0));
        return new StepProfile(
                calls, IntStream.range(0, steps).mapToObj(SampleProfile::step).toList());
    }

    /** 1 ms waiting, half a ms copying, a tenth of a ms before each call, then 0.2 ms until the end. */
    private static StepProfile.Step step(int number) {
        long unit = MILLI + number * MILLI / 10;
        long begin = 5 * MILLI + number * 100 * MILLI;
        long submitted = begin + MILLI;
        long copied = submitted + MILLI / 2;
        long now = copied;
        Long[] begins = new Long[4];
        Long[] ends = new Long[4];
        for (int i = 0; i < 4; i++) {
            begins[i] = now + MILLI / 10;
            ends[i] = begins[i] + (i + 1) * unit;
            now = ends[i];
        }
        return new StepProfile.Step(begin, submitted, copied, now, now + MILLI / 5, List.of(begins), List.of(ends));
    }
}
