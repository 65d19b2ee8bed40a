package dev.velu.trainer.run;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.velu.device.Context;
import dev.velu.device.ContextOptions;
import dev.velu.device.Isa;
import dev.velu.models.Architecture;
import dev.velu.models.NetworkSpec;
import dev.velu.op.ActivationFunction;
import dev.velu.op.Pointwise;
import dev.velu.op.VeluParameters;
import dev.velu.optim.GradientClip;
import dev.velu.optim.OptimizerAlgorithm;
import dev.velu.optim.Schedule;
import dev.velu.trainer.data.Augmentation;
import dev.velu.trainer.data.BatchPipelineBuilder;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;

/**
 * Everything that defines a training run, as flags give it and {@code config.json} and checkpoints keep it (names in snake case).
 *
 * <p>{@code weights}, {@code size}, {@code learningRate}, {@code limitTrain}, {@code limitEval}, {@code dataDir}, {@code scaleMin} and
 * {@code scaleMax} may be null: initial values, the data set's default size, the optimizer's default rate, no limit, none, no clamp.
 *
 * @param activation {@code velu}, {@code relu}, {@code relu6}, {@code silu}, {@code gelu} or {@code default}
 * @param weights file of weights to start from
 * @param data a data set of the catalogue, {@code folder:PATH} or {@code zip:PATH}
 * @param optimizer {@code sgd}, {@code adam}, {@code adamw} or {@code nadam}
 * @param schedule {@code constant}, {@code step} or {@code cosine}, over the whole run
 * @param warmupSteps steps in which the rate rises linearly first
 * @param clipNorm largest norm of all gradients together; 0 for no limit
 * @param clipValue largest magnitude of one gradient; 0 for no limit
 * @param cropPadding pixels of padding before a random crop; 0 for no crop
 * @param flip random horizontal flips, where the data set allows them
 * @param corruptImages {@code fail} or {@code skip}
 * @param precision {@code fp32} or {@code bf16}
 * @param tf32 whether float32 convolutions and matrix products may round their operands to TF32 on CUDA
 * @param decodeThreads threads that decode images; 0 chooses
 * @param threads threads of the operations; 0 uses all processors
 */
@JsonInclude(JsonInclude.Include.ALWAYS)
public record RunConfiguration(
        String model,
        String activation,
        String sites,
        String head,
        String weights,
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
        String data,
        String dataDir,
        Integer size,
        Integer limitTrain,
        Integer limitEval,
        String corruptImages,
        int cropPadding,
        boolean flip,
        int epochs,
        int batchSize,
        String optimizer,
        Float learningRate,
        float momentum,
        boolean nesterov,
        float weightDecay,
        float labelSmoothing,
        String schedule,
        int stepEpochs,
        float stepFactor,
        int warmupSteps,
        float clipNorm,
        float clipValue,
        String device,
        String precision,
        boolean tf32,
        int threads,
        int decodeThreads,
        long seed) {

    private static final ObjectMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
            .enable(SerializationFeature.INDENT_OUTPUT)
            .build();

    /** Where and how fast a run is computed, not what: these may change when it is resumed. */
    private static final List<String> FREE_ON_RESUME = List.of("data_dir", "device", "decode_threads");

    public RunConfiguration {
        oneOf("statistic", statistic, "inverse_rms", "std");
        oneOf("activation", activation, "velu", "relu", "relu6", "silu", "gelu", "default");
        oneOf("sites", sites, "all", "head");
        oneOf("head", head, "standard", "paper");
        oneOf("corrupt images", corruptImages, "fail", "skip");
        oneOf("optimizer", optimizer, "sgd", "adam", "adamw", "nadam");
        oneOf("schedule", schedule, "constant", "step", "cosine");
        NetworkSpec.Precision.named(precision);
        atLeast("epochs", epochs, 1);
        between("batch size", batchSize, 1, BatchPipelineBuilder.MAX_BATCH);
        between("size", Objects.requireNonNullElse(size, 1), 1, BatchPipelineBuilder.MAX_IMAGE_SIZE);
        atLeast("limit of training images", Objects.requireNonNullElse(limitTrain, 1), 1);
        atLeast("limit of evaluation images", Objects.requireNonNullElse(limitEval, 1), 1);
        between("crop padding", cropPadding, 0, Augmentation.MAX_PADDING);
        atLeast("warm-up steps", warmupSteps, 0);
        between("threads", threads, 0, Context.MAX_THREADS);
        between("decode threads", decodeThreads, 0, BatchPipelineBuilder.MAX_DECODE_THREADS);
        notNegative("learning rate", Objects.requireNonNullElse(learningRate, 1f));
        notNegative("lambda-ot", lambdaOt);
        notNegative("label smoothing", labelSmoothing);
        if (labelSmoothing > 1) {
            throw new IllegalArgumentException("label smoothing " + labelSmoothing + " is above 1");
        }
        if ((scaleMin == null) != (scaleMax == null)) {
            throw new IllegalArgumentException("scale-min and scale-max are given together or not at all");
        }
        if (weights != null && weights.isBlank()) {
            throw new IllegalArgumentException("weights '" + weights + "' names no file");
        }
        Architecture.named(model);
        // Built once to check their ranges.
        velu(alpha, beta1, beta2, gamma, mu, eps, statistic, scaleMin, scaleMax);
        algorithm(optimizer, momentum, nesterov, weightDecay);
        new GradientClip(clipValue, clipNorm);
        schedule(schedule, stepEpochs, stepFactor, warmupSteps);
        // Also where the optimizer and the schedule chosen do without them: a value that is nonsense is not kept.
        new OptimizerAlgorithm.Sgd(momentum, false, weightDecay);
        new Schedule.Step(stepEpochs, stepFactor);
    }

    /** The run of {@code velu train} without flags: ResNet-50 with VeLU on drawn shapes, a minute and a half on two cores. */
    public static RunConfiguration defaults() {
        VeluParameters velu = VeluParameters.released();
        return new RunConfiguration(
                "resnet50",
                "velu",
                "all",
                "standard",
                null,
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
                "shapes",
                null,
                null,
                null,
                null,
                "fail",
                0,
                false,
                3,
                32,
                "adam",
                null,
                0.9f,
                false,
                0,
                0,
                "cosine",
                10,
                0.1f,
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

    /**
     * This configuration with some values replaced.
     *
     * @param values by name in snake case
     * @throws IllegalArgumentException for an unknown name or a value outside its range
     */
    public RunConfiguration with(Map<String, Object> values) {
        ObjectNode tree = JSON.valueToTree(this);
        values.forEach((name, value) -> {
            if (!tree.has(name)) {
                throw new IllegalArgumentException("unknown setting '" + name + "'");
            }
            tree.set(name, JSON.valueToTree(value));
        });
        return fromTree(tree);
    }

    /** As indented JSON. */
    public String toJson() {
        try {
            return JSON.writeValueAsString(this);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a configuration is always JSON", e);
        }
    }

    /**
     * Reads what {@link #toJson} wrote.
     *
     * @param origin where the text is from, for messages
     * @throws IllegalArgumentException if it is not a configuration
     */
    public static RunConfiguration fromJson(String json, String origin) {
        try {
            return fromTree(JSON.readTree(json));
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(origin + " is not JSON: " + e.getOriginalMessage(), e);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(origin + " is not a run's configuration: " + e.getMessage(), e);
        }
    }

    private static RunConfiguration fromTree(JsonNode tree) {
        if (!(tree instanceof ObjectNode settings)) {
            throw new IllegalArgumentException("it is not a JSON object");
        }
        // Runs from before there was a choice.
        if (!settings.has("tf32")) {
            settings.put("tf32", false);
        }
        if (!settings.has("weights")) {
            settings.putNull("weights");
        }
        try {
            return JSON.treeToValue(tree, RunConfiguration.class);
        } catch (UnrecognizedPropertyException e) {
            throw new IllegalArgumentException("unknown setting '" + e.getPropertyName() + "'", e);
        } catch (JsonProcessingException e) {
            if (e.getCause() instanceof IllegalArgumentException cause) {
                throw cause;
            }
            String path = e instanceof MismatchedInputException mismatch
                    ? mismatch.getPath().stream()
                            .map(r -> String.valueOf(r.getFieldName()))
                            .collect(Collectors.joining("."))
                    : "";
            throw new IllegalArgumentException("setting '" + path + "' is missing or of the wrong kind", e);
        }
    }

    /** Settings that differ from another configuration's and decide the outcome of a run, as {@code name: ours != theirs}. */
    public List<String> differences(RunConfiguration other) {
        Map<String, Object> ours = JSON.convertValue(this, new TypeReference<LinkedHashMap<String, Object>>() {});
        Map<String, Object> theirs = JSON.convertValue(other, new TypeReference<LinkedHashMap<String, Object>>() {});
        return ours.keySet().stream()
                .filter(name -> !FREE_ON_RESUME.contains(name))
                .filter(name -> !Objects.equals(ours.get(name), theirs.get(name)))
                .map(name -> name + ": " + ours.get(name) + " != " + theirs.get(name))
                .toList();
    }

    /** This configuration without what may change when a run is resumed: what checkpoints keep. */
    RunConfiguration identity() {
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
                networkPrecision());
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

    public Schedule learningRateSchedule() {
        return schedule(schedule, stepEpochs, stepFactor, warmupSteps);
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

    private static Schedule schedule(String name, int stepEpochs, float stepFactor, int warmupSteps) {
        Schedule schedule = switch (name) {
            case "step" -> new Schedule.Step(stepEpochs, stepFactor);
            case "cosine" -> new Schedule.Cosine(0);
            default -> new Schedule.Constant();
        };
        return warmupSteps == 0 ? schedule : new Schedule.WarmUp(warmupSteps, schedule);
    }

    private static void oneOf(String name, String value, String... allowed) {
        if (!List.of(allowed).contains(value)) {
            throw new IllegalArgumentException("unknown " + name + " '" + value + "'; use one of "
                    + Arrays.stream(allowed).collect(Collectors.joining(", ")));
        }
    }

    private static void atLeast(String name, int value, int minimum) {
        if (value < minimum) {
            throw new IllegalArgumentException(
                    name + " " + value + (minimum == 1 ? " is not positive" : " is negative"));
        }
    }

    private static void between(String name, int value, int minimum, int maximum) {
        atLeast(name, value, minimum);
        if (value > maximum) {
            throw new IllegalArgumentException(name + " " + value + " is above " + maximum + ", the largest possible");
        }
    }

    private static void notNegative(String name, float value) {
        if (!(value >= 0 && Float.isFinite(value))) {
            throw new IllegalArgumentException(name + " " + value + " is not a finite number of zero or more");
        }
    }
}
