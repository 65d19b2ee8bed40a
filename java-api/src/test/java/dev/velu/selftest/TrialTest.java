package dev.velu.selftest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The self test sees what it is there to see. */
class TrialTest {
    private Context context;

    @BeforeEach
    void open() {
        context = Context.open(Device.cpu());
    }

    @AfterEach
    void close() {
        context.close();
    }

    private Result run(Consumer<Trial> body) {
        List<Result> results = new ArrayList<>();
        new Probe(context, DType.F32, false, results::add, notRun -> {}).trial("add_forward", "test", body);
        assertThat(results).hasSize(1);
        return results.getFirst();
    }

    /** Memory around a tensor: 8 bytes on either side. */
    private static MemorySegment around(Tensor tensor) {
        long bytes = tensor.type().bytes();
        return MemorySegment.ofAddress(tensor.segment().address() - 8).reinterpret(bytes + 16);
    }

    @Test
    void aWriteBehindATensorFails() {
        Result result = run(trial -> {
            Tensor y = trial.output(DType.F32, 3);
            around(y).set(ValueLayout.JAVA_BYTE, 8 + 12, (byte) 1);
        });
        assertThat(result.pass()).isFalse();
        assertThat(result.detail()).isEqualTo("wrote 1 bytes behind a tensor of F32 [3]");
    }

    @Test
    void aWriteBeforeATensorFails() {
        Result result = run(trial -> around(trial.output(DType.F32, 3)).set(ValueLayout.JAVA_BYTE, 7, (byte) 1));
        assertThat(result.pass()).isFalse();
        assertThat(result.detail()).contains("before a tensor of F32 [3]");
    }

    @Test
    void aChangedInputFails() {
        Result result =
                run(trial -> trial.input(new float[] {1, 2}, 2).segment().fill((byte) 0));
        assertThat(result.pass()).isFalse();
        assertThat(result.detail()).contains("of an input of F32 [2]");
    }

    @Test
    void anElementThatNobodyWroteFails() {
        Result result =
                run(trial -> trial.compare("y", trial.output(DType.F32, 2), new double[2], Tolerances.SUM_OF_PRODUCTS));
        assertThat(result.pass()).isFalse();
        assertThat(result.worstError()).isInfinite();
    }

    @Test
    void anErrorAboveTheToleranceFailsAndOneBelowPasses() {
        Tolerance tolerance = new Tolerance(0.1, 0.5);
        assertThat(run(trial -> trial.compare("y", trial.input(new float[] {11.4f}, 1), new double[] {10}, tolerance))
                        .pass())
                .isTrue();
        Result result =
                run(trial -> trial.compare("y", trial.input(new float[] {11.75f}, 1), new double[] {10}, tolerance));
        assertThat(result.pass()).isFalse();
        assertThat(result.worstError()).isEqualTo(1.75);
        assertThat(result.tolerance()).isEqualTo(1.5);
        assertThat(result.detail()).isEqualTo("y[0] is 11.75, expected 10.0");
    }

    @Test
    void notANumberAgreesWithItselfOnly() {
        Comparison comparison = new Comparison();
        comparison.element("y", 0, Double.NaN, Double.NaN, 0);
        assertThat(comparison.pass()).isTrue();
        comparison.element("y", 1, 1, Double.NaN, 1e9);
        assertThat(comparison.pass()).isFalse();
    }

    @Test
    void anExceptionInATrialIsAFailedResult() {
        Result result = run(trial -> {
            throw new IllegalArgumentException("reason");
        });
        assertThat(result.pass()).isFalse();
        assertThat(result.detail()).isEqualTo("reason");
    }

    @Test
    void aBfloat16BesideTheNearestPassesAndOneFartherFails() {
        Tolerance exact = new Tolerance(0, 0);
        // Of 1.003 the nearest bfloat16 is 1; its neighbours are 2^-7 away.
        assertThat(run(trial -> trial.compare(
                                "y", trial.bfloat16(new float[] {1.0078125f}, 1), new double[] {1.003}, exact))
                        .pass())
                .isTrue();
        assertThat(run(trial -> trial.compare(
                                "y", trial.bfloat16(new float[] {1.015625f}, 1), new double[] {1.003}, exact))
                        .pass())
                .isFalse();
        assertThat(run(trial -> trial.compareExactly("y", trial.bfloat16(new float[] {1}, 1), new float[] {1.003f}))
                        .pass())
                .isTrue();
        assertThat(run(trial -> trial.compareExactly(
                                "y", trial.bfloat16(new float[] {1.0078125f}, 1), new float[] {1.003f}))
                        .pass())
                .isFalse();
    }
}
