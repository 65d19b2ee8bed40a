package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_optimizer_desc;
import dev.velu.device.Context;
import dev.velu.graph.Binding;
import dev.velu.graph.NativeCall;
import dev.velu.graph.Operation;
import dev.velu.optim.GradientClip;
import dev.velu.optim.OptimizerAlgorithm;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

/**
 * One step of an optimizer over flat buffers, in one pass. Inputs, of which counters, parameters and states are
 * updated:
 *
 * <ol start="0">
 *   <li>learningRate: an F32 scalar (shape {@code []}), zero or more
 *   <li>gradientNorm: an F32 scalar from {@link GradientNorm}, or null without a limit on the norm
 *   <li>counters: F64 {@code [2]}, {steps taken, Nadam's product of momenta}; start at {@code {0, 1}}
 *   <li>parameters: F32 {@code [count]}
 *   <li>gradients: {@code [count]}
 *   <li>state0: F32 {@code [count]}, momentum or first moment, or null if the algorithm has no states; starts at 0
 *   <li>state1: F32 {@code [count]}, second moment, or null if the algorithm has fewer than two states; starts at 0
 * </ol>
 *
 * It has no outputs.
 */
public record OptimizerStep(OptimizerAlgorithm algorithm, GradientClip clip) implements Operation {
    /** The step, at once. gradientNorm, state0 and state1 may be null where the algorithm and the clip need none. */
    public void step(
            Context context,
            Tensor learningRate,
            Tensor gradientNorm,
            Tensor counters,
            Tensor parameters,
            Tensor gradients,
            Tensor state0,
            Tensor state1) {
        Eager.run(
                context,
                this,
                Arrays.asList(learningRate, gradientNorm, counters, parameters, gradients, state0, state1),
                List.of());
    }

    @Override
    public String name() {
        return "optimizer_step";
    }

    @Override
    public List<TensorType> infer(List<TensorType> inputs) {
        Types.exactly(name(), inputs, 0, "learningRate", DType.F32);
        Types.optional(name(), inputs, 1, "gradientNorm", DType.F32);
        if (clip.maxNorm() > 0) {
            Types.present(name(), inputs, 1, "gradientNorm, which the clip norm " + clip.maxNorm() + " needs,");
        }
        Types.exactly(name(), inputs, 2, "counters", DType.F64, 2);
        TensorType gradients = Types.floating(name(), inputs, 4, "gradients", 1);
        TensorType flat = new TensorType(DType.F32, gradients.shape());
        Types.like(name(), inputs, 3, "parameters", flat);
        state(inputs, 5, "state0", flat, algorithm.states() > 0);
        state(inputs, 6, "state1", flat, algorithm.states() > 1);
        return List.of();
    }

    private void state(List<TensorType> inputs, int index, String operand, TensorType flat, boolean needed) {
        if (needed) {
            Types.like(name(), inputs, index, operand, flat);
        } else if (inputs.get(index) != null) {
            throw new IllegalArgumentException(name() + ": " + operand + " is " + inputs.get(index) + ", but "
                    + algorithm.label() + " has " + algorithm.states() + " states; expected none");
        }
    }

    @Override
    public NativeCall bind(Binding b) {
        MemorySegment desc = velu_optimizer_desc.allocate(b.arena());
        velu_optimizer_desc.device(desc, b.device());
        velu_optimizer_desc.dtype(desc, b.inputType(4).dtype().code());
        velu_optimizer_desc.count(desc, b.inputType(4).shape().elements());
        velu_optimizer_desc.algorithm(desc, algorithm.code());
        velu_optimizer_desc.weight_decay(desc, algorithm.weightDecay());
        velu_optimizer_desc.clip_value(desc, clip.value());
        velu_optimizer_desc.max_norm(desc, clip.maxNorm());
        switch (algorithm) {
            case OptimizerAlgorithm.Sgd sgd -> {
                velu_optimizer_desc.momentum(desc, sgd.momentum());
                velu_optimizer_desc.nesterov(desc, sgd.nesterov() ? 1 : 0);
            }
            case OptimizerAlgorithm.Adam adam -> adam(desc, adam.beta1(), adam.beta2(), adam.eps());
            case OptimizerAlgorithm.AdamW adamw -> adam(desc, adamw.beta1(), adamw.beta2(), adamw.eps());
            case OptimizerAlgorithm.Nadam nadam -> {
                adam(desc, nadam.beta1(), nadam.beta2(), nadam.eps());
                velu_optimizer_desc.momentum_decay(desc, nadam.momentumDecay());
            }
        }
        MemorySegment context = b.context().handle();
        MemorySegment learningRate = b.input(0);
        MemorySegment gradientNorm = b.input(1);
        MemorySegment counters = b.updated(2);
        MemorySegment parameters = b.updated(3);
        MemorySegment gradients = b.input(4);
        MemorySegment state0 = b.updated(5);
        MemorySegment state1 = b.updated(6);
        return () -> VeluNative.velu_optimizer_step(
                context, desc, learningRate, gradientNorm, counters, parameters, gradients, state0, state1);
    }

    /** Parameters and states are read and written. */
    @Override
    public long bytes(List<TensorType> inputs, List<TensorType> outputs) {
        return Operation.super.bytes(inputs, outputs)
                + Operation.bytes(inputs.get(3))
                + Operation.bytes(inputs.get(5))
                + Operation.bytes(inputs.get(6));
    }

    private static void adam(MemorySegment desc, float beta1, float beta2, float eps) {
        velu_optimizer_desc.beta1(desc, beta1);
        velu_optimizer_desc.beta2(desc, beta2);
        velu_optimizer_desc.eps(desc, eps);
    }
}
