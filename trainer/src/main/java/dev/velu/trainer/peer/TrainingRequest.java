package dev.velu.trainer.peer;

import dev.velu.models.NetworkSpec;
import dev.velu.op.ActivationFunction;
import dev.velu.op.VeluParameters;
import dev.velu.optim.GradientClip;
import dev.velu.optim.OptimizerAlgorithm;
import dev.velu.trainer.run.RunConfiguration;
import java.nio.file.Path;
import java.util.Locale;

/** Asks a peer for training steps; the fields are those of the task {@code training} of the module {@code bench/peers}. */
public record TrainingRequest(
        String kind,
        String network,
        String activation,
        Constants velu,
        String tensors,
        int[] labels,
        boolean channelsLast,
        float w2Weight,
        float learningRate,
        float momentum,
        float weightDecay) {
    /** The constants of VeLU as the task takes them. */
    public record Constants(
            float alpha,
            float beta1,
            float beta2,
            float gamma,
            float mu,
            float eps,
            String statistic,
            Float scaleMin,
            Float scaleMax) {
        /** VeLU's constants as the peer takes them. */
        public static Constants of(VeluParameters velu) {
            return new Constants(
                    velu.alpha(),
                    velu.beta1(),
                    velu.beta2(),
                    velu.gamma(),
                    velu.mu(),
                    velu.eps(),
                    velu.statistic().name().toLowerCase(Locale.ROOT),
                    velu.scale() == null ? null : velu.scale().min(),
                    velu.scale() == null ? null : velu.scale().max());
        }
    }

    /**
     * The steps that we do ourselves.
     *
     * @param tensors what {@link PeerFiles#tensors} wrote
     * @throws IllegalArgumentException if the peer has no such step; says what it has
     */
    public static TrainingRequest of(RunConfiguration settings, NetworkSpec spec, Path tensors, int[] labels) {
        check(settings, spec);
        OptimizerAlgorithm.Sgd sgd = (OptimizerAlgorithm.Sgd) settings.algorithm();
        ActivationFunction activation = spec.bodyActivation();
        return new TrainingRequest(
                "training",
                spec.architecture().label(),
                activation.label(),
                activation instanceof VeluParameters velu ? Constants.of(velu) : null,
                tensors.toString(),
                labels,
                false,
                spec.w2Weight(),
                TrainingSteps.LEARNING_RATE,
                sgd.momentum(),
                sgd.weightDecay());
    }

    /** The same with images and weights that have their channels beside each other in memory. */
    public TrainingRequest withChannelsLast() {
        return new TrainingRequest(
                kind, network, activation, velu, tensors, labels, true, w2Weight, learningRate, momentum, weightDecay);
    }

    /**
     * Checks that the peer can train so.
     *
     * @throws IllegalArgumentException if the peer has no such step
     */
    public static void check(RunConfiguration settings, NetworkSpec spec) {
        boolean plainSgd =
                settings.algorithm() instanceof OptimizerAlgorithm.Sgd sgd && sgd.momentum() > 0 && !sgd.nesterov();
        if (!plainSgd || !settings.clip().equals(GradientClip.NONE)) {
            throw new IllegalArgumentException("libtorch's step is written for sgd with momentum only, not for "
                    + settings.optimizer() + "; use --optimizer sgd");
        }
        if (settings.labelSmoothing() != 0) {
            throw new IllegalArgumentException(
                    "libtorch's step is written without label smoothing, not for " + settings.labelSmoothing());
        }
        boolean whole = spec.sites() == NetworkSpec.Sites.ALL && spec.head() == NetworkSpec.Head.STANDARD;
        if (!whole) {
            throw new IllegalArgumentException(
                    "libtorch's networks have the standard head and one activation everywhere; use --sites all --head"
                            + " standard");
        }
    }
}
