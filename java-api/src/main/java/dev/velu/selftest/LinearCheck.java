package dev.velu.selftest;

import dev.velu.bindings.velu_linear_desc;
import dev.velu.op.Linear;
import dev.velu.op.Pointwise;
import dev.velu.selftest.oracle.LinearOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The fully connected layer, alone and with the activation that follows it. */
final class LinearCheck {
    private static final LinearOracle[] CASES = {
        new LinearOracle(1, 1, 1),
        new LinearOracle(31, 33, 257),
        new LinearOracle(3, 2048, 10),
        new LinearOracle(257, 31, 1)
    };

    private LinearCheck() {}

    static void run(Probe probe) {
        for (int i = 0; i < CASES.length; i++) {
            check(probe, CASES[i], i % 2 == 1);
        }
        for (Pointwise function : Pointwise.values()) {
            fused(probe, CASES[1], function, true);
            fused(probe, CASES[3], function, function == Pointwise.GELU);
        }
    }

    private static MemorySegment desc(Probe probe, Arena arena, LinearOracle o) {
        MemorySegment desc = velu_linear_desc.allocate(arena);
        velu_linear_desc.device(desc, probe.context().device().kind().ordinal());
        velu_linear_desc.dtype(desc, probe.dtype().code());
        velu_linear_desc.rows(desc, o.rows());
        velu_linear_desc.in_features(desc, o.inFeatures());
        velu_linear_desc.out_features(desc, o.outFeatures());
        return desc;
    }

    /** With the activation that follows. */
    private static void fused(Probe probe, LinearOracle o, Pointwise function, boolean withBias) {
        int rows = o.rows();
        int in = o.inFeatures();
        int out = o.outFeatures();
        float[] x = probe.data(Numbers.normal(1, rows * in, 1));
        float[] weight = probe.data(Numbers.normal(2, out * in, 0.3));
        float[] bias = withBias ? Numbers.normal(3, out, 1) : null;
        String name = rows + "x" + in + " to " + out + (withBias ? " bias " : " ") + function.label();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = desc(probe, arena, o);
            velu_linear_desc.activation(desc, function.code());
            probe.trial("linear_forward", name, desc, trial -> {
                Tensor y = trial.result(rows, out);
                new Linear()
                        .forward(
                                trial.context(),
                                trial.data(x, rows, in),
                                trial.data(weight, out, in),
                                withBias ? trial.input(bias, out) : null,
                                function,
                                y);
                ActivationCheck.compareFused(
                        trial,
                        y,
                        function,
                        o.forward(Numbers.wide(x), Numbers.wide(weight), withBias ? Numbers.wide(bias) : null),
                        o.forward(
                                Numbers.absolute(x),
                                Numbers.absolute(weight),
                                withBias ? Numbers.absolute(bias) : null));
            });
        }
    }

    private static void check(Probe probe, LinearOracle o, boolean withBias) {
        int rows = o.rows();
        int in = o.inFeatures();
        int out = o.outFeatures();
        float[] x = probe.data(Numbers.normal(1, rows * in, 1));
        float[] weight = probe.data(Numbers.normal(2, out * in, 0.3));
        float[] bias = withBias ? Numbers.normal(3, out, 1) : null;
        float[] dy = probe.data(Numbers.normal(4, rows * out, 1));
        String name = rows + "x" + in + " to " + out + (withBias ? " bias" : "");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = desc(probe, arena, o);
            probe.trial("linear_forward", name, desc, trial -> {
                Tensor y = trial.result(rows, out);
                new Linear()
                        .forward(
                                trial.context(),
                                trial.data(x, rows, in),
                                trial.data(weight, out, in),
                                withBias ? trial.input(bias, out) : null,
                                y);
                trial.compare(
                        "y",
                        y,
                        o.forward(Numbers.wide(x), Numbers.wide(weight), withBias ? Numbers.wide(bias) : null),
                        o.forward(
                                Numbers.absolute(x),
                                Numbers.absolute(weight),
                                withBias ? Numbers.absolute(bias) : null),
                        Tolerances.SUM_OF_PRODUCTS);
            });
            probe.trial("linear_backward_data", name, desc, trial -> {
                Tensor dx = trial.result(rows, in);
                new Linear().backwardData(trial.context(), trial.data(dy, rows, out), trial.data(weight, out, in), dx);
                double[] magnitude = o.backwardData(Numbers.absolute(dy), Numbers.absolute(weight));
                trial.compare(
                        "dx",
                        dx,
                        o.backwardData(Numbers.wide(dy), Numbers.wide(weight)),
                        magnitude,
                        Tolerances.SUM_OF_PRODUCTS);
                DifferenceQuotient.compare(
                        trial,
                        "dx",
                        dx.toFloatArray(),
                        x,
                        magnitude,
                        point -> Numbers.dot(dy, o.forward(point, Numbers.wide(weight), null)));
            });
            probe.trial("linear_backward_weights", name, desc, trial -> {
                Tensor dweight = trial.output(DType.F32, out, in);
                Tensor dbias = withBias ? trial.output(DType.F32, out) : null;
                new Linear()
                        .backwardWeights(
                                trial.context(), trial.data(x, rows, in), trial.data(dy, rows, out), dweight, dbias);
                double[] magnitude = o.backwardWeights(Numbers.absolute(x), Numbers.absolute(dy));
                trial.compare(
                        "dweight",
                        dweight,
                        o.backwardWeights(Numbers.wide(x), Numbers.wide(dy)),
                        magnitude,
                        Tolerances.SUM_OF_PRODUCTS);
                DifferenceQuotient.compare(
                        trial,
                        "dweight",
                        dweight.toFloatArray(),
                        weight,
                        magnitude,
                        point -> Numbers.dot(dy, o.forward(Numbers.wide(x), point, null)));
                if (withBias) {
                    double[] biasMagnitude = o.backwardBias(Numbers.absolute(dy));
                    trial.compare(
                            "dbias",
                            dbias,
                            o.backwardBias(Numbers.wide(dy)),
                            biasMagnitude,
                            Tolerances.SUM_OF_PRODUCTS);
                    DifferenceQuotient.compare(
                            trial,
                            "dbias",
                            dbias.toFloatArray(),
                            bias,
                            biasMagnitude,
                            point -> Numbers.dot(dy, o.forward(Numbers.wide(x), Numbers.wide(weight), point)));
                }
            });
        }
    }
}
