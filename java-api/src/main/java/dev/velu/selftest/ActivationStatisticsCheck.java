package dev.velu.selftest;

import dev.velu.op.ActivationFunction;
import dev.velu.op.ActivationStatistics;
import dev.velu.op.Pointwise;
import dev.velu.op.VeluParameters;
import dev.velu.op.VeluParameters.Statistic;
import dev.velu.selftest.oracle.ActivationStatisticsOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** What activations do to a tensor: moments, adaptive scale, dead units, saturation. */
final class ActivationStatisticsCheck {
    private static final int[][] SHAPES = {{1, 1}, {3, 31}, {31, 33}, {5, 257}, {2, 2048}, {1025, 3}};

    private ActivationStatisticsCheck() {}

    static void run(Probe probe) {
        for (ActivationFunction function : functions()) {
            for (int[] shape : SHAPES) {
                float[] x = Numbers.normal(shape[1], shape[0] * shape[1], 5);
                place(x, function);
                check(probe, function, shape[1], x, "");
            }
            float[] x = Numbers.normal(4, 5 * 33, 1);
            x[70] = Float.NaN;
            check(probe, function, 33, x, " one NaN");
        }
    }

    private static List<ActivationFunction> functions() {
        List<ActivationFunction> functions = new ArrayList<>(List.of(Pointwise.values()));
        functions.add(VeluParameters.curve());
        VeluParameters p = VeluParameters.released();
        functions.add(
                new VeluParameters(p.alpha(), p.beta1(), p.beta2(), p.gamma(), p.mu(), p.eps(), Statistic.STD, null));
        return functions;
    }

    /** The edges of saturation and their neighbours. */
    private static void place(float[] x, ActivationFunction function) {
        float edge = function instanceof VeluParameters params ? 1 / params.beta2() : 6;
        float[] points = {
            edge,
            -edge,
            Math.nextUp(edge),
            Math.nextDown(edge),
            0,
            -0f,
            -6.9067548f,
            6.9067548f,
            -3.0902323f,
            -3.0902321f
        };
        for (int i = 0; i < points.length && 5 * i + 2 < x.length; i++) {
            x[5 * i + 2] = points[i];
        }
    }

    private static void check(Probe probe, ActivationFunction function, int channels, float[] drawn, String what) {
        float[] x = probe.data(drawn);
        // Not the function's: every fourth channel is dead, or nearly, and the others alive.
        float[] a = probe.data(Numbers.normal(x.length, x.length, 1));
        for (int i = 0; i < a.length; i++) {
            int channel = i % channels;
            a[i] = channel % 4 == 1 ? 0 : channel % 4 == 2 && i < channels ? 0x1p-19f : a[i];
        }
        if (!what.isEmpty()) {
            a[70] = Float.NaN;
        }
        int rows = x.length / channels;
        String name = rows + "x" + channels + " " + function.label() + what;
        probe.trial("activation_statistics", name, trial -> {
            ActivationStatisticsOracle.Statistics expected =
                    new ActivationStatisticsOracle(function, channels, 0.5).measure(Numbers.wide(x), Numbers.wide(a));
            Tensor values = trial.output(DType.F32, 6);
            Tensor counts = trial.output(DType.I64, 2);
            new ActivationStatistics(function)
                    .measure(
                            trial.context(),
                            trial.data(x, rows, channels),
                            trial.data(a, rows, channels),
                            trial.scalar(0.5f),
                            values,
                            counts);
            trial.compare(
                    "values",
                    values,
                    expected.values(),
                    Numbers.map(expected.values(), m -> Math.max(1, Math.abs(m))),
                    Tolerances.VELU_MOMENTS);
            long[] numbers = new long[2];
            trial.context().download(counts.segment(), MemorySegment.ofArray(numbers));
            trial.compare("dead units", numbers[0], expected.deadUnits(), 0);
            trial.compare("saturated elements", numbers[1], expected.saturated(), 0);
        });
    }
}
