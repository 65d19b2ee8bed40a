package dev.velu.optim;

import dev.velu.device.Context;
import dev.velu.device.VeluException;
import dev.velu.graph.Phase;
import dev.velu.graph.Plan;
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
 * An optimizer's memory for one set of parameters: flat states as large as the parameters, counters and the learning rate. All
 * parameters are updated by one call. Its memory belongs to the context.
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
    private final MemorySegment learningRateOnHost = MemorySegment.ofArray(new float[1]);
    private final MemorySegment gradientNorm;
    private final List<MemorySegment> states = new ArrayList<>();

    /**
     * @param parameters with memory on the context, gradients included
     * @throws VeluException if memory is exhausted; says how much the optimizer needs
     */
    public Optimizer(Parameters parameters, OptimizerAlgorithm algorithm, GradientClip clip, Context context) {
        this.parameters = parameters;
        this.algorithm = algorithm;
        this.clip = clip;
        this.context = context;
        counters = allocate(COUNTERS.bytes());
        context.upload(MemorySegment.ofArray(new double[] {0, 1}), counters);
        learningRate = allocate(SCALAR.bytes());
        gradientNorm = allocate(SCALAR.bytes());
        for (int i = 0; i < algorithm.states(); i++) {
            states.add(allocate(parameters.values().byteSize()));
        }
    }

    private MemorySegment allocate(long bytes) {
        try {
            return context.allocate(bytes);
        } catch (VeluException e) {
            long needed = algorithm.states() * parameters.values().byteSize();
            throw e.ifOutOfMemory("the state of " + algorithm.label() + " needs " + Math.ceilDiv(needed, 1 << 20)
                    + " MiB; use an optimizer with less state or a smaller network");
        }
    }

    /** Adds the update to the end of a plan that computes the gradients. */
    public void appendTo(Plan plan) {
        TensorType flat = TensorType.f32(parameters.flatCount());
        boolean clipsNorm = clip.maxNorm() > 0;
        if (clipsNorm) {
            plan.append(
                    new GradientNorm(),
                    List.of(flat),
                    List.of(SCALAR),
                    List.of(parameters.gradients()),
                    List.of(gradientNorm),
                    "optimizer",
                    Phase.OPTIMIZER);
        }
        plan.append(
                new OptimizerStep(algorithm, clip),
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
                        learningRate,
                        clipsNorm ? gradientNorm : MemorySegment.NULL,
                        counters,
                        parameters.values(),
                        parameters.gradients(),
                        !states.isEmpty() ? states.get(0) : MemorySegment.NULL,
                        states.size() > 1 ? states.get(1) : MemorySegment.NULL),
                List.of(),
                "optimizer",
                Phase.OPTIMIZER);
    }

    /** Device memory of the rate, an F32 scalar: what copies to it without waiting writes here. */
    public MemorySegment learningRate() {
        return learningRate;
    }

    /** Sets the rate of the steps that follow. */
    public void learningRate(float rate) {
        learningRateOnHost.set(ValueLayout.JAVA_FLOAT, 0, rate);
        context.upload(learningRateOnHost, learningRate);
    }

    /** The parameters it updates. */
    public Parameters parameters() {
        return parameters;
    }

    /** Steps taken and Nadam's product of momenta, F64 {@code [2]}, device memory. */
    public MemorySegment counters() {
        return counters;
    }

    /** Momentum buffer or first moment, then second moment: F32, laid out as the parameters, device memory. */
    public List<MemorySegment> states() {
        return Collections.unmodifiableList(states);
    }
}
