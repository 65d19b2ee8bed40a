package dev.velu.trainer.run;

import dev.velu.device.Context;
import dev.velu.models.ActivationStatistics;
import dev.velu.models.Freezing;
import dev.velu.models.InferenceStep;
import dev.velu.models.Network;
import dev.velu.models.NetworkSpec;
import dev.velu.models.ParameterStage;
import dev.velu.models.SiteStatistics;
import dev.velu.models.StepOptions;
import dev.velu.models.TrainingStep;
import dev.velu.nn.Parameter;
import dev.velu.nn.ParameterGroup;
import dev.velu.nn.ParameterGroups;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.optim.Optimizer;
import dev.velu.optim.WeightAverage;
import dev.velu.tensor.DType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The network of a run and what trains it: parameters, optimizer, averaged weights, and the steps of training and evaluation that
 * share them.
 */
final class RunNetwork implements AutoCloseable {
    private final Context context;
    private final boolean frozen;
    private final Parameters parameters = new Parameters();
    private final Optimizer optimizer;
    /** Null where weights are not averaged. */
    private final WeightAverage average;

    private final TrainingStep step;
    private final InferenceStep inference;
    private final ActivationStatistics statistics;

    /** Gives a network its first values. */
    @FunctionalInterface
    interface Filling {
        void fill(Network network) throws IOException;
    }

    /**
     * Lays the network out in memory.
     *
     * @param frozen whether what the configuration freezes does not train
     * @param measured images on which the activation sites are measured, positive
     * @throws IOException what the filling throws
     */
    RunNetwork(
            RunConfiguration configuration,
            NetworkSpec spec,
            NormalizeImage normalization,
            Context context,
            boolean frozen,
            int measured,
            Filling filling)
            throws IOException {
        this.context = context;
        this.frozen = frozen;
        if (frozen) {
            parameters.freeze(Freezing.of(spec, configuration.freeze()));
        }
        parameters.group(groups(configuration, spec));
        int batch = configuration.batchSize();
        Network training = Network.build(spec, parameters, batch, true, normalization, configuration.seed());
        Network evaluation = Network.build(spec, parameters, batch, false, normalization);
        parameters.allocate(context, true);
        filling.fill(training);
        optimizer = new Optimizer(parameters, configuration.algorithm(), configuration.clip(), context);
        average = configuration.ema() > 0 ? new WeightAverage(parameters, configuration.ema(), true, context) : null;
        StepOptions options = StepOptions.of(configuration.labelSmoothing())
                .withAccumulation(configuration.accumulate())
                .withAverage(average);
        step = new TrainingStep(
                training, context, optimizer, configuration.mixing().isNone() ? options : options.withMixedLabels());
        InferenceStep evaluating = null;
        boolean complete = false;
        try {
            evaluating = new InferenceStep(evaluation, context);
            statistics = new ActivationStatistics(spec, parameters, measured, normalization, context);
            complete = true;
        } finally {
            if (!complete) {
                closeAll(step, evaluating, null);
            }
        }
        inference = evaluating;
    }

    /** The last stage of a network is its classifier. */
    private static ParameterGroups groups(RunConfiguration configuration, NetworkSpec spec) {
        List<ParameterGroup> groups = new ArrayList<>();
        if (configuration.backboneLrFactor() != 1) {
            for (String prefix : ParameterStage.of(spec).getLast().prefixes()) {
                groups.add(new ParameterGroup(prefix, 1, null));
            }
            groups.add(new ParameterGroup("", configuration.backboneLrFactor(), null));
        }
        return new ParameterGroups(groups, configuration.noDecayNormBias());
    }

    /** Whether some of the parameters do not train. */
    boolean frozen() {
        return frozen;
    }

    Parameters parameters() {
        return parameters;
    }

    TrainingStep step() {
        return step;
    }

    InferenceStep inference() {
        return inference;
    }

    /** Lets {@link #inference} and {@link #parameters} show what is to be evaluated: the averaged weights, where there are any. */
    void beginEvaluation() {
        if (average != null) {
            average.swap();
        }
        inference.refresh();
    }

    /** Goes back to the weights that train. */
    void endEvaluation() {
        if (average != null) {
            average.swap();
        }
    }

    /**
     * What a run needs beside the parameters to go on: optimizer, averaged weights, and gradients of an update under way.
     *
     * @param steps that the run has done
     */
    List<TrainingState> states(long steps) {
        List<TrainingState> states = new ArrayList<>();
        states.add(new TrainingState("counters", DType.F64, optimizer.counters()));
        for (int i = 0; i < optimizer.states().size(); i++) {
            states.add(
                    new TrainingState("state" + i, DType.F32, optimizer.states().get(i)));
        }
        if (average != null) {
            states.add(new TrainingState("average", DType.F32, average.values()));
            if (average.buffers().byteSize() > 0) {
                states.add(new TrainingState("average_statistics", DType.F32, average.buffers()));
            }
        }
        if (steps % step.accumulation() != 0) {
            states.add(new TrainingState("accumulated", DType.F32, step.accumulated()));
        }
        return states;
    }

    /** How large its checkpoints can become, for so many epochs. */
    RunFolder.Sizes checkpointSizes(int epochs) {
        long network = parameters.all().stream()
                .mapToLong(parameter -> parameter.type().bytes())
                .sum();
        long whole = network
                + states(step.accumulation() - 1).stream()
                        .mapToLong(state -> state.memory().byteSize())
                        .sum();
        return new RunFolder.Sizes(network, whole, epochs);
    }

    /** Trainable values without those of the activations. */
    long parameterCount() {
        return parameters.count(Parameter.Role.WEIGHT);
    }

    /**
     * What the activation sites do with images, with the parameters as they are now.
     *
     * @param images uint8 {@code [N, S, S, 3]}, host memory, as many as are to be measured
     */
    List<SiteStatistics> measureSites(MemorySegment images) {
        return statistics.measure(images);
    }

    /** Releases the steps. The parameters' memory stays until the context is closed, see {@link #release}. */
    @Override
    public void close() {
        closeAll(step, inference, statistics);
    }

    /** All of them even if one fails. */
    private static void closeAll(TrainingStep step, InferenceStep inference, ActivationStatistics statistics) {
        try (step;
                inference) {
            if (statistics != null) {
                statistics.close();
            }
        }
    }

    /** Releases the steps and the large pieces of memory, so that another network has room. */
    void release() {
        close();
        context.synchronize();
        List<MemorySegment> pieces = new ArrayList<>(optimizer.states());
        pieces.add(parameters.values());
        pieces.add(parameters.gradients());
        pieces.forEach(context::free);
    }
}
