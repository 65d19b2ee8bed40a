package dev.velu.selftest;

import dev.velu.bindings.velu_attention_desc;
import dev.velu.op.Attention;
import dev.velu.selftest.oracle.AttentionOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Multi-head attention: one token and many, odd head sizes, and scores whose exponentials overflow. */
final class AttentionCheck {
    /** Batch, tokens, heads, head size. */
    private static final int[][] SHAPES = {
        {1, 1, 1, 1}, {2, 5, 3, 8}, {1, 33, 2, 16}, {3, 17, 4, 33}, {2, 65, 2, 64}, {1, 197, 3, 64}, {1, 257, 1, 31}
    };
    /** Of the case whose gradient is also compared with difference quotients. */
    private static final int SMALL = 4000;

    private AttentionCheck() {}

    static void run(Probe probe) {
        for (int[] s : SHAPES) {
            check(probe, s[0], s[1], s[2], s[3], 1);
        }
        check(probe, 1, 31, 2, 16, 30);
    }

    private static void check(Probe probe, int batch, int tokens, int heads, int headSize, double std) {
        float scale = (float) (1 / Math.sqrt(headSize));
        AttentionOracle o = new AttentionOracle(batch, tokens, heads, headSize, scale);
        Attention attention = new Attention(heads);
        String name = batch + "x" + tokens + " heads " + heads + "x" + headSize + (std > 1 ? " large scores" : "");
        float[] qkv = probe.data(Numbers.normal(1, o.qkvSize(), std));
        float[] dy = probe.data(Numbers.normal(2, o.ySize(), 1));
        long[] qkvShape = {batch, tokens, 3L * heads * headSize};
        long[] yShape = {batch, tokens, (long) heads * headSize};
        long[] rowShape = {batch, heads, tokens};
        Tolerance gradientTolerance =
                probe.dtype() == DType.BF16 ? Tolerances.ATTENTION_GRADIENT_BF16 : Tolerances.ATTENTION;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = velu_attention_desc.allocate(arena);
            velu_attention_desc.device(desc, probe.context().device().kind().ordinal());
            velu_attention_desc.dtype(desc, probe.dtype().code());
            velu_attention_desc.batch(desc, batch);
            velu_attention_desc.tokens(desc, tokens);
            velu_attention_desc.heads(desc, heads);
            velu_attention_desc.head_size(desc, headSize);
            velu_attention_desc.scale(desc, scale);
            probe.trial("attention_forward", name, desc, trial -> {
                AttentionOracle.Forward expected = o.forward(Numbers.wide(qkv));
                Tensor input = trial.data(qkv, qkvShape);
                Tensor y = trial.result(yShape);
                Tensor logSumExp = trial.output(DType.F32, rowShape);
                attention.forward(trial.context(), input, y, logSumExp);
                trial.compare("y", y, expected.y(), expected.yMagnitude(), Tolerances.ATTENTION);
                trial.compare(
                        "logSumExp",
                        logSumExp,
                        expected.logSumExp(),
                        expected.logSumExpMagnitude(),
                        Tolerances.ATTENTION);
                Tensor alone = trial.result(yShape);
                attention.forward(trial.context(), input, alone, null);
                trial.compareExactly("y without logSumExp", alone, y.toFloatArray());
            });
            probe.trial("attention_backward", name, desc, trial -> {
                AttentionOracle.Forward forward = o.forward(Numbers.wide(qkv));
                AttentionOracle.Backward expected = o.backward(Numbers.wide(qkv), Numbers.wide(dy));
                Tensor dqkv = trial.result(qkvShape);
                attention.backward(
                        trial.context(),
                        trial.data(qkv, qkvShape),
                        trial.data(Numbers.narrow(forward.y()), yShape),
                        trial.data(dy, yShape),
                        trial.input(Numbers.narrow(forward.logSumExp()), rowShape),
                        dqkv);
                trial.compare("dqkv", dqkv, expected.dqkv(), expected.dqkvMagnitude(), gradientTolerance);
                if (o.qkvSize() < SMALL && std == 1) {
                    DifferenceQuotient.compare(
                            trial,
                            "dqkv",
                            dqkv.toFloatArray(),
                            qkv,
                            expected.dqkvMagnitude(),
                            point -> Numbers.dot(dy, o.forward(point).y()));
                }
            });
        }
    }
}
