package dev.velu.selftest;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_pool2d_desc;
import dev.velu.op.AvgPool2d;
import dev.velu.op.MaxPool2d;
import dev.velu.op.PoolWindow;
import dev.velu.selftest.oracle.Pool2dOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/** Maximum and average pooling. */
final class Pool2dCheck {
    private static final Pool2dOracle[] CASES = {
        new Pool2dOracle(PoolWindow.of(1, 1, 0), 1, 1, 1, 1),
        new Pool2dOracle(PoolWindow.of(2, 2, 0), 2, 7, 5, 31),
        new Pool2dOracle(PoolWindow.of(3, 2, 1), 3, 9, 8, 33),
        new Pool2dOracle(PoolWindow.of(3, 1, 1), 1, 5, 5, 257),
        new Pool2dOracle(new PoolWindow(3, 2, 1, 3, 1, 0), 2, 8, 11, 17),
        new Pool2dOracle(PoolWindow.of(7, 7, 3), 1, 15, 14, 64),
    };

    private Pool2dCheck() {}

    static void run(Probe probe) {
        for (Pool2dOracle o : CASES) {
            maximum(probe, o);
            average(probe, o, true);
            average(probe, o, false);
        }
        pitched(probe, CASES[1], 1);
        pitched(probe, CASES[2], 31);
        pitched(probe, CASES[5], 192);
    }

    private static String name(Pool2dOracle o) {
        PoolWindow w = o.window();
        return o.batch() + "x" + o.height() + "x" + o.width() + "x" + o.channels() + " kernel " + w.kernelHeight() + "x"
                + w.kernelWidth() + " stride " + w.strideHeight() + "x" + w.strideWidth() + " padding "
                + w.paddingHeight() + "x" + w.paddingWidth();
    }

    private static long[] xShape(Pool2dOracle o) {
        return new long[] {o.batch(), o.height(), o.width(), o.channels()};
    }

    private static long[] yShape(Pool2dOracle o) {
        return new long[] {o.batch(), o.outHeight(), o.outWidth(), o.channels()};
    }

    private static void maximum(Probe probe, Pool2dOracle o) {
        MaxPool2d pool = new MaxPool2d(o.window());
        probe.trial("max_pool2d_forward", name(o), trial -> {
            // Small integers, so that equal values meet in a window; all negative, so that a padding of 0 would show.
            int[] integers = Numbers.integers(1, o.xSize(), -9, -1);
            float[] values = new float[o.xSize()];
            for (int i = 0; i < values.length; i++) {
                values[i] = integers[i];
            }
            if (values.length > 40) {
                values[20] = Float.NaN;
                values[values.length - 1] = Float.NEGATIVE_INFINITY;
            }
            Pool2dOracle.Maximum expected = o.maximum(Numbers.wide(values));
            Tensor x = trial.data(values, xShape(o));
            Tensor y = trial.result(yShape(o));
            Tensor argmax = trial.output(DType.U8, yShape(o));
            pool.forward(trial.context(), x, y, argmax);
            trial.compareExactly("y", y, Numbers.narrow(expected.y()));
            int[] positions = trial.bytes(argmax);
            for (int i = 0; i < positions.length; i++) {
                trial.comparison().element("argmax", i, positions[i], expected.argmax()[i], 0);
            }
            Tensor withoutArgmax = trial.result(yShape(o));
            pool.forward(trial.context(), x, withoutArgmax, null);
            trial.compareExactly("y without argmax", withoutArgmax, Numbers.narrow(expected.y()));
        });
        probe.trial("max_pool2d_backward", name(o), trial -> {
            float[] x = distinct(o.xSize());
            int[] argmax = o.maximum(Numbers.wide(x)).argmax();
            byte[] positions = new byte[argmax.length];
            for (int i = 0; i < argmax.length; i++) {
                positions[i] = (byte) argmax[i];
            }
            float[] dy = probe.data(Numbers.normal(2, o.ySize(), 1));
            Tensor dx = trial.result(xShape(o));
            pool.backward(trial.context(), trial.data(dy, yShape(o)), trial.input(positions, yShape(o)), dx);
            double[] magnitude = o.maximumBackward(Numbers.absolute(dy), argmax);
            trial.compare("dx", dx, o.maximumBackward(Numbers.wide(dy), argmax), magnitude, Tolerances.MEAN);
            DifferenceQuotient.compare(
                    trial,
                    "dx",
                    dx.toFloatArray(),
                    x,
                    magnitude,
                    point -> Numbers.dot(dy, o.maximum(point).y()));
        });
    }

    /** With the pixels of y and dy farther apart than their channels need; argmax is dense. */
    private static void pitched(Probe probe, Pool2dOracle o, int gap) {
        int pitch = o.channels() + gap;
        int pixels = o.ySize() / o.channels();
        String name = name(o) + " pitch " + pitch;
        float[] x = probe.data(Numbers.normal(1, o.xSize(), 1));
        float[] dy = probe.data(Numbers.normal(2, o.ySize(), 1));
        Pool2dOracle.Maximum maximum = o.maximum(Numbers.wide(x));
        byte[] positions = new byte[maximum.argmax().length];
        for (int i = 0; i < positions.length; i++) {
            positions[i] = (byte) maximum.argmax()[i];
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = pitchedDesc(probe, arena, o, pitch);
            probe.trial("max_pool2d_forward", name, desc, trial -> {
                PitchedRows y = PitchedRows.result(trial, pixels, o.channels(), pitch);
                Tensor argmax = trial.output(DType.U8, yShape(o));
                int status = VeluNative.velu_max_pool2d_forward(
                        trial.context().handle(),
                        desc,
                        trial.data(x, xShape(o)).segment(),
                        y.segment(),
                        argmax.segment());
                trial.context().check(status, "velu_max_pool2d_forward");
                y.compareExactly(trial, "y", Numbers.narrow(maximum.y()));
                int[] actual = trial.bytes(argmax);
                for (int i = 0; i < actual.length; i++) {
                    trial.comparison().element("argmax", i, actual[i], maximum.argmax()[i], 0);
                }
            });
            probe.trial("max_pool2d_backward", name, desc, trial -> {
                Tensor dx = trial.result(xShape(o));
                int status = VeluNative.velu_max_pool2d_backward(
                        trial.context().handle(),
                        desc,
                        PitchedRows.data(trial, dy, o.channels(), pitch).segment(),
                        trial.input(positions, yShape(o)).segment(),
                        dx.segment());
                trial.context().check(status, "velu_max_pool2d_backward");
                trial.compare(
                        "dx",
                        dx,
                        o.maximumBackward(Numbers.wide(dy), maximum.argmax()),
                        o.maximumBackward(Numbers.absolute(dy), maximum.argmax()),
                        Tolerances.MEAN);
            });
            probe.trial("avg_pool2d_forward", name, desc, trial -> {
                PitchedRows y = PitchedRows.result(trial, pixels, o.channels(), pitch);
                int status = VeluNative.velu_avg_pool2d_forward(
                        trial.context().handle(), desc, trial.data(x, xShape(o)).segment(), y.segment());
                trial.context().check(status, "velu_avg_pool2d_forward");
                y.compare(
                        trial,
                        "y",
                        o.average(Numbers.wide(x), true),
                        o.average(Numbers.absolute(x), true),
                        Tolerances.MEAN);
            });
            probe.trial("avg_pool2d_backward", name, desc, trial -> {
                Tensor dx = trial.result(xShape(o));
                int status = VeluNative.velu_avg_pool2d_backward(
                        trial.context().handle(),
                        desc,
                        PitchedRows.data(trial, dy, o.channels(), pitch).segment(),
                        dx.segment());
                trial.context().check(status, "velu_avg_pool2d_backward");
                trial.compare(
                        "dx",
                        dx,
                        o.averageBackward(Numbers.wide(dy), true),
                        o.averageBackward(Numbers.absolute(dy), true),
                        Tolerances.MEAN);
            });
        }
    }

    private static MemorySegment pitchedDesc(Probe probe, Arena arena, Pool2dOracle o, int pitch) {
        PoolWindow window = o.window();
        MemorySegment desc = velu_pool2d_desc.allocate(arena);
        velu_pool2d_desc.device(desc, probe.context().device().kind().ordinal());
        velu_pool2d_desc.dtype(desc, probe.dtype().code());
        velu_pool2d_desc.batch(desc, o.batch());
        velu_pool2d_desc.in_height(desc, o.height());
        velu_pool2d_desc.in_width(desc, o.width());
        velu_pool2d_desc.channels(desc, o.channels());
        velu_pool2d_desc.kernel_height(desc, window.kernelHeight());
        velu_pool2d_desc.kernel_width(desc, window.kernelWidth());
        velu_pool2d_desc.stride_height(desc, window.strideHeight());
        velu_pool2d_desc.stride_width(desc, window.strideWidth());
        velu_pool2d_desc.padding_height(desc, window.paddingHeight());
        velu_pool2d_desc.padding_width(desc, window.paddingWidth());
        velu_pool2d_desc.count_include_pad(desc, 1);
        velu_pool2d_desc.y_pitch(desc, pitch);
        return desc;
    }

    /** Values at least 0.01 apart, so that no step of a difference quotient changes which is largest. */
    private static float[] distinct(int count) {
        List<Integer> ranks = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            ranks.add(i);
        }
        Collections.shuffle(ranks, new Random(1));
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = 0.01f * (ranks.get(i) - count / 2f);
        }
        return values;
    }

    private static void average(Probe probe, Pool2dOracle o, boolean includePadding) {
        AvgPool2d pool = new AvgPool2d(o.window(), includePadding);
        String name = name(o) + (includePadding ? " counting padding" : "");
        float[] x = probe.data(Numbers.normal(1, o.xSize(), 1));
        float[] dy = probe.data(Numbers.normal(2, o.ySize(), 1));
        probe.trial("avg_pool2d_forward", name, trial -> {
            Tensor y = trial.result(yShape(o));
            pool.forward(trial.context(), trial.data(x, xShape(o)), y);
            trial.compare(
                    "y",
                    y,
                    o.average(Numbers.wide(x), includePadding),
                    o.average(Numbers.absolute(x), includePadding),
                    Tolerances.MEAN);
        });
        probe.trial("avg_pool2d_backward", name, trial -> {
            Tensor dx = trial.result(xShape(o));
            pool.backward(trial.context(), trial.data(dy, yShape(o)), dx);
            double[] magnitude = o.averageBackward(Numbers.absolute(dy), includePadding);
            trial.compare("dx", dx, o.averageBackward(Numbers.wide(dy), includePadding), magnitude, Tolerances.MEAN);
            DifferenceQuotient.compare(
                    trial,
                    "dx",
                    dx.toFloatArray(),
                    x,
                    magnitude,
                    point -> Numbers.dot(dy, o.average(point, includePadding)));
        });
    }
}
