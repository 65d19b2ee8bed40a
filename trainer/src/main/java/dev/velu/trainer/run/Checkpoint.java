package dev.velu.trainer.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.velu.device.Context;
import dev.velu.nn.Parameter;
import dev.velu.nn.ParameterFiles;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.safetensors.ElementType;
import dev.velu.safetensors.SafeTensorsException;
import dev.velu.safetensors.SafeTensorsFile;
import dev.velu.safetensors.SafeTensorsWriter;
import dev.velu.safetensors.TensorFile;
import dev.velu.safetensors.TensorFileException;
import dev.velu.safetensors.TensorInfo;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.trainer.data.BatchPipelineBuilder;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A safetensors file of this trainer: the network's tensors under torchvision's names, and in its metadata what is needed to use
 * them: configuration, class names, image size, normalization. A checkpoint to resume from also has the optimizer's tensors, averaged
 * weights and gradients of an update under way, named {@code optimizer.*}, and the run's progress.
 *
 * @param size height and width of the images in pixels
 * @param mean normalization of the pixels, per channel, in units of [0, 1]
 * @param progress null in a checkpoint that is not to resume from
 */
record Checkpoint(
        RunConfiguration configuration,
        List<String> classNames,
        int size,
        List<Float> mean,
        List<Float> std,
        RunProgress progress) {
    private static final String FORMAT = "velu-checkpoint-1";
    /** What other programs expect of PyTorch's axis order. */
    private static final String EXPORT_FORMAT = "pt";

    private static final String OPTIMIZER = "optimizer.";
    private static final int CHANNELS = 3;
    private static final int MOST_NUMBERED_CLASSES = 1 << 20;
    private static final ObjectMapper JSON = new ObjectMapper();

    /** @throws IllegalArgumentException for values that no network can be made of */
    Checkpoint {
        if (classNames == null || classNames.isEmpty() || classNames.stream().anyMatch(Objects::isNull)) {
            throw new IllegalArgumentException("the class names are " + classNames + ", expected one text or more");
        }
        if (size < 1 || size > BatchPipelineBuilder.MAX_IMAGE_SIZE) {
            throw new IllegalArgumentException(
                    "image size " + size + " is outside 1.." + BatchPipelineBuilder.MAX_IMAGE_SIZE);
        }
        requireChannels("mean", mean);
        requireChannels("std", std);
        // Built once to check the ranges.
        new NormalizeImage(mean, std);
    }

    private static void requireChannels(String name, List<Float> values) {
        if (values == null || values.size() != CHANNELS || values.stream().anyMatch(Objects::isNull)) {
            throw new IllegalArgumentException(name + " is " + values + ", expected " + CHANNELS + " numbers");
        }
    }

    /**
     * Writes the file, whole or not at all.
     *
     * @param states what a run needs to go on; empty to write the network only
     */
    void write(Path path, Parameters parameters, List<TrainingState> states, Context context)
            throws SafeTensorsException {
        Map<String, String> metadata = metadata(FORMAT);
        metadata.put("classes", json(classNames));
        if (progress != null) {
            metadata.put("progress", progress.toJson());
        }
        List<SafeTensorsWriter.Entry> entries = new ArrayList<>(ParameterFiles.entries(parameters, context));
        for (TrainingState state : states) {
            entries.add(entry(OPTIMIZER + state.name(), state.dtype(), state.memory(), context));
        }
        SafeTensorsWriter.write(path, metadata, entries);
    }

    /**
     * Writes the network for other programs, whole or not at all: the metadata begin with what those look for.
     *
     * @param named whether the classes have names, not only numbers
     */
    void export(Path path, boolean named, Parameters parameters, Context context) throws SafeTensorsException {
        Map<String, String> metadata = metadata(EXPORT_FORMAT);
        metadata.put("model", configuration.model());
        metadata.put("activation", configuration.activation());
        metadata.put("classes", named ? json(classNames) : String.valueOf(classNames.size()));
        SafeTensorsWriter.write(path, metadata, ParameterFiles.entries(parameters, context));
    }

    private Map<String, String> metadata(String format) {
        Map<String, String> metadata = new TreeMap<>();
        metadata.put("format", format);
        metadata.put("config", configuration.identity().toJson());
        metadata.put("size", String.valueOf(size));
        metadata.put("mean", json(mean));
        metadata.put("std", json(std));
        return metadata;
    }

    private static SafeTensorsWriter.Entry entry(String name, DType dtype, MemorySegment device, Context context) {
        return new SafeTensorsWriter.Entry(
                name,
                ElementType.of(dtype),
                Shape.of(device.byteSize() / dtype.bytes()),
                ParameterFiles.content(device, context));
    }

    /** Whether a file says which network it holds: a checkpoint of this trainer, or a network that it exported. */
    static boolean isDescribed(TensorFile file) {
        String format = file.metadata().get("format");
        return FORMAT.equals(format)
                || EXPORT_FORMAT.equals(format) && file.metadata().containsKey("config");
    }

    /** Whether the classes of a file that is {@linkplain #isDescribed described} have names, not only numbers. */
    static boolean namesClasses(TensorFile file) {
        return !file.metadata().getOrDefault("classes", "").matches("\\d+");
    }

    /** Names for classes that have none: their numbers. */
    static List<String> numbers(int classes) {
        return IntStream.range(0, classes).mapToObj(String::valueOf).toList();
    }

    private static List<String> classNames(TensorFile file) throws JsonProcessingException {
        String classes = field(file, "classes");
        return namesClasses(file)
                ? JSON.readValue(classes, new TypeReference<List<String>>() {})
                : numbers(Math.min(wholeNumber("number of classes", classes), MOST_NUMBERED_CLASSES));
    }

    /**
     * Reads what the file says of itself.
     *
     * @throws RunException if it is not a checkpoint of this trainer
     */
    static Checkpoint describe(TensorFile file) {
        if (!isDescribed(file)) {
            throw new RunException(file.path() + " is not a checkpoint of this trainer: its metadata lacks 'format': '"
                    + FORMAT + "'; give a checkpoint-*.safetensors that `velu train` wrote, or name other weights with"
                    + " --weights");
        }
        Map<String, String> metadata = file.metadata();
        try {
            return new Checkpoint(
                    RunConfiguration.fromJson(field(file, "config"), "config"),
                    classNames(file),
                    wholeNumber("image size", field(file, "size")),
                    JSON.readValue(field(file, "mean"), new TypeReference<List<Float>>() {}),
                    JSON.readValue(field(file, "std"), new TypeReference<List<Float>>() {}),
                    metadata.containsKey("progress") ? RunProgress.fromJson(metadata.get("progress")) : null);
        } catch (JsonProcessingException e) {
            throw new RunException(file.path() + " has damaged metadata: " + e.getOriginalMessage(), e);
        } catch (IllegalArgumentException e) {
            throw new RunException(file.path() + " has damaged metadata: " + e.getMessage(), e);
        }
    }

    private static int wholeNumber(String what, String text) {
        try {
            return Integer.parseInt(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(what + " '" + text + "' is not a whole number", e);
        }
    }

    private static String field(TensorFile file, String name) {
        String value = file.metadata().get(name);
        if (value == null) {
            throw new IllegalArgumentException("'" + name + "' is missing");
        }
        return value;
    }

    /**
     * Fills the network's tensors, all of them and from nothing but theirs: a file with more is another network's.
     *
     * @throws TensorFileException if the tensors are not those of the network; names the first of them
     */
    static void loadNetwork(TensorFile file, Parameters parameters, Context context) throws TensorFileException {
        Set<String> expected = parameters.all().stream().map(Parameter::name).collect(Collectors.toSet());
        List<String> others = file.names().stream()
                .filter(name -> !name.startsWith(OPTIMIZER) && !expected.contains(name))
                .toList();
        if (!others.isEmpty()) {
            throw new SafeTensorsException(
                    file.path(),
                    "does not fit the network: it also has " + others.getFirst()
                            + (others.size() > 1 ? " and " + (others.size() - 1) + " more tensors" : ""));
        }
        ParameterFiles.load(file, parameters, context);
    }

    /** Fills what trains the network from a checkpoint to resume from. */
    static void loadStates(SafeTensorsFile file, List<TrainingState> states, Context context)
            throws SafeTensorsException {
        for (TrainingState state : states) {
            load(file, OPTIMIZER + state.name(), state.dtype(), state.memory(), context);
        }
    }

    private static void load(SafeTensorsFile file, String name, DType dtype, MemorySegment device, Context context)
            throws SafeTensorsException {
        long elements = device.byteSize() / dtype.bytes();
        TensorInfo info = file.info(name);
        if (!info.shape().equals(Shape.of(elements)) || info.dtype() != ElementType.of(dtype)) {
            throw new SafeTensorsException(
                    file.path(),
                    name + " is " + info.dtype() + " " + info.shape() + ", expected " + dtype + " [" + elements + "]");
        }
        context.upload(file.segment(name), device);
    }

    private static String json(Object value) {
        try {
            return JSON.writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("lists are always JSON", e);
        }
    }
}
