package dev.velu.optim;

import dev.velu.device.Context;
import dev.velu.device.VeluException;
import dev.velu.graph.Phase;
import dev.velu.graph.Plan;
import dev.velu.nn.ParameterRun;
import dev.velu.nn.Parameters;
import dev.velu.op.GradientNorm;
import dev.velu.op.OptimizerStep;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * An optimizer's memory for one set of parameters: flat states as large as what trains of them, counters and learning rates. All
 * parameters that are trained alike are updated by one call (see {@link Parameters#group}). Its memory belongs to the context.
 */
public final class Optimizer {
    private static final TensorType SCALAR = TensorType.f32();
    private static final TensorType COUNTERS = new TensorType(DType.F64, Shape.of(2));

    private final Parameters parameters;
    private final OptimizerAlgorithm algorithm;
    private final GradientClip clip;
    private final Context context;
    private final MemorySegment counters;
    private final MemorySegment learningRate;
    private final MemorySegment learningRateOnHost;
    private final MemorySegment gradientNorm;
    private final List<MemorySegment> states = new ArrayList<>();

    /**
     * An optimizer whose state is on the context.
     *
     * @param parameters with memory on the context, gradients included
     * @throws IllegalArgumentException if all of them are frozen
     * @throws VeluException if memory is exhausted; says how much the optimizer needs
     */
    public Optimizer(Parameters parameters, OptimizerAlgorithm algorithm, GradientClip clip, Context context) {
        this.parameters = parameters;
        this.algorithm = algorithm;
        this.clip = clip;
        this.context = context;
        int runs = parameters.runs().size();
        if (runs == 0 && parameters.trainableBytes() > 0) {
            throw new IllegalArgumentException("all parameters are frozen; leave some to train");
        }
        counters = allocate(Math.max(1, runs) * COUNTERS.bytes());
        for (int run = 0; run < runs; run++) {
            context.upload(MemorySegment.ofArray(new double[] {0, 1}), counters(run));
        }
        learningRate = allocate(Math.max(1, runs) * SCALAR.bytes());
        learningRateOnHost = MemorySegment.ofArray(new float[runs]);
        gradientNorm = allocate(SCALAR.bytes());
        for (int i = 0; i < algorithm.states(); i++) {
            states.add(allocate(parameters.trainedBytes()));
        }
    }

    private MemorySegment counters(int run) {
        return counters.asSlice(run * COUNTERS.bytes(), COUNTERS.bytes());
    }

    private MemorySegment allocate(long bytes) {
        try {
            return context.allocate(bytes);
        } catch (VeluException e) {
            long needed = algorithm.states() * parameters.trainedBytes();
            throw e.ifOutOfMemory("the state of " + algorithm.label() + " needs " + Math.ceilDiv(needed, 1 << 20)
                    + " MiB; use an optimizer with less state or a smaller network");
        }
    }

    /** Adds the update to the end of a plan that computes the gradients of the parameters. */
    public void appendTo(Plan plan) {
        appendTo(plan, parameters.gradients());
    }

    /**
     * Adds the update to the end of a plan that computes gradients.
     *
     * @param gradients F32, laid out as {@link Parameters#gradients}
     */
    public void appendTo(Plan plan, MemorySegment gradients) {
        TensorType flat = TensorType.f32(parameters.flatCount());
        boolean clipsNorm = clip.maxNorm() > 0;
        if (clipsNorm) {
            plan.append(
                    new GradientNorm(),
                    List.of(flat),
                    List.of(SCALAR),
                    List.of(gradients.asSlice(0, flat.bytes())),
                    List.of(gradientNorm),
                    "optimizer",
                    Phase.OPTIMIZER);
        }
        List<ParameterRun> runs = parameters.runs();
        for (int run = 0; run < runs.size(); run++) {
            append(plan, run, runs.get(run), gradients);
        }
    }

    private void append(Plan plan, int index, ParameterRun run, MemorySegment gradients) {
        TensorType flat = TensorType.f32(run.count());
        boolean clipsNorm = clip.maxNorm() > 0;
        OptimizerAlgorithm rule = run.weightDecay() == null ? algorithm : algorithm.withWeightDecay(run.weightDecay());
        plan.append(
                new OptimizerStep(rule, clip),
                Arrays.asList(
                        SCALAR,
                        clipsNorm ? SCALAR : null,
                        COUNTERS,
                        flat,
                        flat,
                        !states.isEmpty() ? flat : null,
                        states.size() > 1 ? flat : null),
                List.of(),
                List.of(
                        learningRate.asSlice(index * SCALAR.bytes(), SCALAR.bytes()),
                        clipsNorm ? gradientNorm : MemorySegment.NULL,
                        counters(index),
                        part(parameters.values(), run),
                        part(gradients, run),
                        !states.isEmpty() ? part(states.get(0), run) : MemorySegment.NULL,
                        states.size() > 1 ? part(states.get(1), run) : MemorySegment.NULL),
                List.of(),
                "optimizer",
                Phase.OPTIMIZER);
    }

    private static MemorySegment part(MemorySegment flat, ParameterRun run) {
        return flat.asSlice(run.offset() * SCALAR.bytes(), run.count() * SCALAR.bytes());
    }

    /**
     * Device memory of the rates, F32, one for each of {@link Parameters#runs}: what copies to it without waiting writes here what
     * {@link #writeLearningRates} gives.
     */
    public MemorySegment learningRate() {
        return learningRate;
    }

    /**
     * Writes a rate times the factor of each of {@link Parameters#runs}.
     *
     * @param host F32, as long as {@link #learningRate()}
     */
    public void writeLearningRates(float rate, MemorySegment host) {
        List<ParameterRun> runs = parameters.runs();
        for (int run = 0; run < runs.size(); run++) {
            host.setAtIndex(ValueLayout.JAVA_FLOAT, run, rate * runs.get(run).learningRateFactor());
        }
    }

    /** Sets the rate of the steps that follow. */
    public void learningRate(float rate) {
        writeLearningRates(rate, learningRateOnHost);
        context.upload(learningRateOnHost, learningRate);
    }

    /** The parameters it updates. */
    public Parameters parameters() {
        return parameters;
    }

    /** Steps taken and Nadam's product of momenta, F64 {@code [2]} for each of {@link Parameters#runs}, device memory. */
    public MemorySegment counters() {
        return counters;
    }

    /** Momentum buffer or first moment, then second moment: F32, laid out as the gradients, device memory. */
    public List<MemorySegment> states() {
        return Collections.unmodifiableList(states);
    }
}
