package dev.velu.trainer.run;

import static dev.velu.trainer.run.SettingRange.atLeast;
import static dev.velu.trainer.run.SettingRange.between;
import static dev.velu.trainer.run.SettingRange.notNegative;
import static dev.velu.trainer.run.SettingRange.oneOf;
import static dev.velu.trainer.run.SettingRange.share;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.velu.device.Context;
import dev.velu.device.ContextOptions;
import dev.velu.device.Isa;
import dev.velu.models.Architecture;
import dev.velu.models.NetworkSpec;
import dev.velu.op.ActivationFunction;
import dev.velu.op.Pointwise;
import dev.velu.op.VeluParameters;
import dev.velu.op.W2;
import dev.velu.optim.GradientClip;
import dev.velu.optim.OptimizerAlgorithm;
import dev.velu.optim.Schedule;
import dev.velu.trainer.augment.Augmentation;
import dev.velu.trainer.augment.Mixing;
import dev.velu.trainer.data.BatchPipelineBuilder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/**
 * Everything that defines a training run, as flags give it and {@code config.json} and checkpoints keep it (names in snake case).
 *
 * <p>{@code recipe}, {@code weights}, {@code size}, {@code learningRate}, {@code limitTrain}, {@code limitEval}, {@code dataDir},
 * {@code scaleMin} and {@code scaleMax} may be null: none, initial values, the data set's default size, the optimizer's default rate, no
 * limit, none, no clamp. A value of 0 turns off what it is the strength of.
 *
 * @param recipe name or file of the recipe that gave the settings that no flag gave; its settings stand here, too
 * @param activation {@code velu}, {@code relu}, {@code relu6}, {@code silu}, {@code gelu} or {@code default}
 * @param weights file of weights to start from
 * @param freeze names of the parameters that do not train, or what they begin with in whole components: {@code layer1}
 * @param unfreezeEpoch epoch, from 1, from which on all of them train; 0 for never
 * @param w2 {@code gaussian}, {@code empirical} or {@code per_channel}: how the Wasserstein-2 term is computed
 * @param data a data set of the catalogue, {@code folder:PATH} or {@code zip:PATH}
 * @param randomResizedCrop least share of the area that is cut out and enlarged
 * @param cropPadding pixels of padding before a random crop; 0 for no crop
 * @param flip random horizontal flips, where the data set allows them
 * @param colorJitter largest change of brightness, contrast and saturation
 * @param randomAugment operations of RandAugment on every image
 * @param randomAugmentMagnitude of these operations, 0 to 30
 * @param randomErasing probability that a rectangle of an image is erased
 * @param mixup parameter of the beta distribution of shares in blends of two images
 * @param cutmix parameter of the beta distribution of shares of the area in an image with a rectangle of another
 * @param batchSize images in a step
 * @param accumulate steps whose gradients are averaged for one update of the parameters
 * @param optimizer {@code sgd}, {@code adam}, {@code adamw} or {@code nadam}
 * @param backboneLrFactor factor of the learning rate of all but the network's last stage, its classifier
 * @param noDecayNormBias whether biases, the parameters of norms and VeLU's lambdas are spared the weight decay
 * @param schedule {@code constant}, {@code step} or {@code cosine}, over the whole run
 * @param finalFraction of the learning rate that schedule cosine ends at
 * @param warmupSteps steps in which the rate rises linearly first
 * @param warmupShare the same as a share of the run's steps
 * @param clipNorm largest norm of all gradients together; 0 for no limit
 * @param clipValue largest magnitude of one gradient; 0 for no limit
 * @param corruptImages {@code fail} or {@code skip}
 * @param ema decay of the exponential moving average of the weights, which is evaluated and kept as the best network
 * @param earlyStopping epochs without a better evaluation after which the run ends
 * @param earlyStoppingDelta by how much of the top-1 an evaluation has to be better to count
 * @param precision {@code fp32} or {@code bf16}
 * @param tf32 whether float32 convolutions and matrix products may round their operands to TF32 on CUDA
 * @param decodeThreads threads that decode images; 0 chooses
 * @param threads threads of the operations; 0 uses all processors
 */
@JsonInclude(JsonInclude.Include.ALWAYS)
public record RunConfiguration(
        String recipe,
        String model,
        String activation,
        String sites,
        String head,
        String weights,
        List<String> freeze,
        int unfreezeEpoch,
        float alpha,
        float beta1,
        float beta2,
        float gamma,
        float mu,
        float eps,
        String statistic,
        Float scaleMin,
        Float scaleMax,
        float lambdaOt,
        String w2,
        String data,
        String dataDir,
        Integer size,
        Integer limitTrain,
        Integer limitEval,
        String corruptImages,
        float randomResizedCrop,
        int cropPadding,
        boolean flip,
        float colorJitter,
        int randomAugment,
        int randomAugmentMagnitude,
        float randomErasing,
        float mixup,
        float cutmix,
        int epochs,
        int batchSize,
        int accumulate,
        String optimizer,
        Float learningRate,
        float backboneLrFactor,
        float momentum,
        boolean nesterov,
        float weightDecay,
        boolean noDecayNormBias,
        float labelSmoothing,
        String schedule,
        int stepEpochs,
        float stepFactor,
        float finalFraction,
        int warmupSteps,
        float warmupShare,
        float clipNorm,
        float clipValue,
        double ema,
        int earlyStopping,
        float earlyStoppingDelta,
        String device,
        String precision,
        boolean tf32,
        int threads,
        int decodeThreads,
        long seed) {

    /** Where and how fast a run is computed, not what: these may change when it is resumed. */
    private static final List<String> FREE_ON_RESUME = List.of("data_dir", "device", "decode_threads");

    /** More batches are better made a larger one. */
    private static final int MAX_ACCUMULATE = 1 << 20;

    /** @throws IllegalArgumentException for a value outside its range, or two that exclude each other */
    public RunConfiguration {
        oneOf("statistic", statistic, "inverse_rms", "std");
        oneOf("activation", activation, "velu", "relu", "relu6", "silu", "gelu", "default");
        oneOf("sites", sites, "all", "head");
        oneOf("head", head, "standard", "paper");
        W2.named(w2);
        oneOf("corrupt images", corruptImages, "fail", "skip");
        oneOf("optimizer", optimizer, "sgd", "adam", "adamw", "nadam");
        oneOf("schedule", schedule, "constant", "step", "cosine");
        NetworkSpec.Precision.named(precision);
        atLeast("epochs", epochs, 1);
        between("batch size", batchSize, 1, BatchPipelineBuilder.MAX_BATCH);
        between("accumulate", accumulate, 1, MAX_ACCUMULATE);
        between("size", Objects.requireNonNullElse(size, 1), 1, BatchPipelineBuilder.MAX_IMAGE_SIZE);
        atLeast("limit of training images", Objects.requireNonNullElse(limitTrain, 1), 1);
        atLeast("limit of evaluation images", Objects.requireNonNullElse(limitEval, 1), 1);
        between("crop padding", cropPadding, 0, Augmentation.MAX_PADDING);
        atLeast("warm-up steps", warmupSteps, 0);
        atLeast("unfreeze epoch", unfreezeEpoch, 0);
        atLeast("early stopping", earlyStopping, 0);
        between("threads", threads, 0, Context.MAX_THREADS);
        between("decode threads", decodeThreads, 0, BatchPipelineBuilder.MAX_DECODE_THREADS);
        notNegative("learning rate", Objects.requireNonNullElse(learningRate, 1f));
        notNegative("backbone-lr-factor", backboneLrFactor);
        notNegative("lambda-ot", lambdaOt);
        share("label smoothing", labelSmoothing);
        share("final fraction", finalFraction);
        share("warm-up share", warmupShare);
        share("early stopping delta", earlyStoppingDelta);
        if (!(ema >= 0 && ema < 1)) {
            throw new IllegalArgumentException("ema " + ema + " is outside [0, 1); 0 turns it off, 0.999 is usual");
        }
        if (warmupSteps > 0 && warmupShare > 0) {
            throw new IllegalArgumentException("warm-up is given as " + warmupSteps + " steps and as a share of "
                    + warmupShare + "; set one of warmup-steps and warmup-share to 0");
        }
        if ((scaleMin == null) != (scaleMax == null)) {
            throw new IllegalArgumentException("scale-min and scale-max are given together or not at all");
        }
        if (weights != null && weights.isBlank()) {
            throw new IllegalArgumentException("weights '" + weights + "' names no file");
        }
        freeze = freeze == null ? List.of() : List.copyOf(freeze);
        if (freeze.stream().anyMatch(String::isBlank)) {
            throw new IllegalArgumentException("freeze " + freeze + " has an empty name");
        }
        if (unfreezeEpoch > 0 && freeze.isEmpty()) {
            throw new IllegalArgumentException("unfreeze-epoch " + unfreezeEpoch
                    + " has no effect without freeze; name what to freeze until then");
        }
        Architecture.named(model);
        // Built once to check their ranges.
        velu(alpha, beta1, beta2, gamma, mu, eps, statistic, scaleMin, scaleMax);
        algorithm(optimizer, momentum, nesterov, weightDecay);
        new GradientClip(clipValue, clipNorm);
        schedule(schedule, stepEpochs, stepFactor, finalFraction, warmupSteps);
        new Augmentation(
                randomResizedCrop,
                cropPadding,
                flip,
                colorJitter,
                randomAugment,
                randomAugmentMagnitude,
                randomErasing);
        new Mixing(mixup, cutmix);
        // Also where the optimizer and the schedule chosen do without them: a value that is nonsense is not kept.
        new OptimizerAlgorithm.Sgd(momentum, false, weightDecay);
        new Schedule.Step(stepEpochs, stepFactor);
    }

    /** The run of {@code velu train} without flags: ResNet-50 with VeLU on drawn shapes, a minute and a half on two cores. */
    public static RunConfiguration defaults() {
        VeluParameters velu = VeluParameters.released();
        return new RunConfiguration(
                null,
                "resnet50",
                "velu",
                "all",
                "standard",
                null,
                List.of(),
                0,
                velu.alpha(),
                velu.beta1(),
                velu.beta2(),
                velu.gamma(),
                velu.mu(),
                velu.eps(),
                "inverse_rms",
                null,
                null,
                0.1f,
                "gaussian",
                "shapes",
                null,
                null,
                null,
                null,
                "fail",
                0,
                0,
                false,
                0,
                0,
                9,
                0,
                0,
                0,
                3,
                32,
                1,
                "adam",
                null,
                1,
                0.9f,
                false,
                0,
                false,
                0,
                "cosine",
                10,
                0.1f,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                "auto",
                "fp32",
                false,
                0,
                0,
                0);
    }

    /** Names of all settings, in snake case. */
    public static List<String> names() {
        return ConfigurationJson.names();
    }

    /**
     * This configuration with some values replaced.
     *
     * @param values by name in snake case
     * @throws IllegalArgumentException for an unknown name or a value outside its range
     */
    public RunConfiguration with(Map<String, ?> values) {
        return ConfigurationJson.with(this, values);
    }

    /** As indented JSON. */
    public String toJson() {
        return ConfigurationJson.write(this);
    }

    /**
     * Reads what {@link #toJson} wrote, now or when there were fewer settings: one that is missing has its default.
     *
     * @param origin where the text is from, for messages
     * @throws IllegalArgumentException if it is not a configuration
     */
    public static RunConfiguration fromJson(String json, String origin) {
        return ConfigurationJson.read(json, origin);
    }

    /** Settings that differ from another configuration's and decide the outcome of a run, as {@code name: ours != theirs}. */
    public List<String> differences(RunConfiguration other) {
        Map<String, Object> ours = ConfigurationJson.values(this);
        Map<String, Object> theirs = ConfigurationJson.values(other);
        return ours.keySet().stream()
                .filter(name -> !FREE_ON_RESUME.contains(name))
                .filter(name -> !Objects.equals(ours.get(name), theirs.get(name)))
                .map(name -> name + ": " + ours.get(name) + " != " + theirs.get(name))
                .toList();
    }

    /** This configuration without what may change when a run is resumed: what checkpoints keep. */
    public RunConfiguration identity() {
        Map<String, Object> free = new LinkedHashMap<>();
        free.put("data_dir", null);
        free.put("device", "auto");
        free.put("decode_threads", 0);
        return with(free);
    }

    /** The network this run trains. */
    public NetworkSpec network(int classes, int imageSize) {
        return new NetworkSpec(
                Architecture.named(model),
                classes,
                imageSize,
                activationFunction(),
                NetworkSpec.Sites.valueOf(sites.toUpperCase(Locale.ROOT)),
                NetworkSpec.Head.valueOf(head.toUpperCase(Locale.ROOT)),
                lambdaOt,
                networkPrecision(),
                W2.named(w2));
    }

    /** How the context of this run computes. */
    public ContextOptions contextOptions() {
        return new ContextOptions(threads, Isa.AUTO, tf32);
    }

    /** What the network's activations are stored and multiplied in. */
    public NetworkSpec.Precision networkPrecision() {
        return NetworkSpec.Precision.named(precision);
    }

    /** The activation function, or null for the architecture's own. */
    public ActivationFunction activationFunction() {
        return switch (activation) {
            case "default" -> null;
            case "velu" -> velu(alpha, beta1, beta2, gamma, mu, eps, statistic, scaleMin, scaleMax);
            default -> Pointwise.valueOf(activation.toUpperCase(Locale.ROOT));
        };
    }

    public OptimizerAlgorithm algorithm() {
        return algorithm(optimizer, momentum, nesterov, weightDecay);
    }

    public GradientClip clip() {
        return new GradientClip(clipValue, clipNorm);
    }

    /**
     * How the learning rate goes.
     *
     * @param totalSteps of the run, positive
     */
    public Schedule learningRateSchedule(long totalSteps) {
        long warmup = warmupSteps > 0 ? warmupSteps : Math.round((double) warmupShare * totalSteps);
        return schedule(schedule, stepEpochs, stepFactor, finalFraction, warmup);
    }

    /**
     * The changes to training images.
     *
     * @param flippable whether an image flipped left to right is still of its class
     */
    public Augmentation augmentation(boolean flippable) {
        return new Augmentation(
                randomResizedCrop,
                cropPadding,
                flip && flippable,
                colorJitter,
                randomAugment,
                randomAugmentMagnitude,
                randomErasing);
    }

    /** How the images of a training batch are mixed. */
    public Mixing mixing() {
        return new Mixing(mixup, cutmix);
    }

    /**
     * Whether what {@link #freeze} names does not train in an epoch.
     *
     * @param epoch from 0
     */
    boolean freezesIn(int epoch) {
        return !freeze.isEmpty() && (unfreezeEpoch == 0 || epoch + 1 < unfreezeEpoch);
    }

    /**
     * The base learning rate: as given, else 0.05 for SGD and 0.001 for the adaptive ones, times the network's {@link
     * Architecture#learningRateFactor}.
     */
    public float baseLearningRate() {
        float usual = optimizer.equals("sgd") ? 0.05f : 0.001f;
        return learningRate != null
                ? learningRate
                : usual * Architecture.named(model).learningRateFactor();
    }

    private static VeluParameters velu(
            float alpha,
            float beta1,
            float beta2,
            float gamma,
            float mu,
            float eps,
            String statistic,
            Float scaleMin,
            Float scaleMax) {
        return new VeluParameters(
                alpha,
                beta1,
                beta2,
                gamma,
                mu,
                eps,
                VeluParameters.Statistic.valueOf(statistic.toUpperCase(Locale.ROOT)),
                scaleMin == null ? null : new VeluParameters.Clamp(scaleMin, scaleMax));
    }

    private static OptimizerAlgorithm algorithm(String name, float momentum, boolean nesterov, float weightDecay) {
        return switch (name) {
            case "adam" -> new OptimizerAlgorithm.Adam(0.9f, 0.999f, 1e-8f, weightDecay);
            case "adamw" -> new OptimizerAlgorithm.AdamW(0.9f, 0.999f, 1e-8f, weightDecay);
            case "nadam" -> new OptimizerAlgorithm.Nadam(0.9f, 0.999f, 1e-8f, weightDecay, 0.004f);
            default -> new OptimizerAlgorithm.Sgd(momentum, nesterov, weightDecay);
        };
    }

    private static Schedule schedule(
            String name, int stepEpochs, float stepFactor, float finalFraction, long warmupSteps) {
        Schedule schedule = switch (name) {
            case "step" -> new Schedule.Step(stepEpochs, stepFactor);
            case "cosine" -> new Schedule.Cosine(finalFraction);
            default -> new Schedule.Constant();
        };
        return warmupSteps == 0 ? schedule : new Schedule.WarmUp(warmupSteps, schedule);
    }
}
