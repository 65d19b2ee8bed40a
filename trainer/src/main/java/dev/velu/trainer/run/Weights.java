package dev.velu.trainer.run;

import dev.velu.device.Context;
import dev.velu.models.Architecture;
import dev.velu.models.CheckpointImport;
import dev.velu.models.ImportReport;
import dev.velu.models.Network;
import dev.velu.nn.ParameterFiles;
import dev.velu.op.NormalizeImage;
import dev.velu.safetensors.TensorFile;
import dev.velu.safetensors.TensorFileException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * A file of weights with torchvision's names, safetensors or of {@code torch.save}, and what such a file does not say itself. A
 * checkpoint of this trainer, or a network that it exported, does say it.
 *
 * @param file the weights
 * @param model name of the network, or null if the file says it
 * @param activation the activation function, or null for the one of the file, else the one the network was published with
 * @param size height and width of the images in pixels, or null for the file's, else what the network was published for
 * @param labels text file with the name of a class on each line, or null for the file's, else the classes' numbers
 */
public record Weights(Path file, String model, String activation, Integer size, Path labels) {
    private static final long LARGEST_LABELS = 16 << 20;

    /**
     * Fills a network from a file of weights, as far as they fit ({@link CheckpointImport}).
     *
     * @param network its parameters have memory on the context and their initial values
     * @throws TensorFileException if the file cannot be read or does not fit
     */
    static ImportReport load(Path file, Network network, Context context) throws TensorFileException {
        try (TensorFile tensors = ParameterFiles.open(file)) {
            return CheckpointImport.of(tensors).into(network, context);
        }
    }

    /**
     * Opens the file and finds out what network it holds.
     *
     * @throws TensorFileException if it cannot be read
     * @throws RunException if the network is not known or is another one than asked for
     */
    NetworkFile open() throws IOException {
        TensorFile tensors = ParameterFiles.open(file);
        boolean opened = false;
        try {
            NetworkFile network = Checkpoint.isDescribed(tensors) ? described(tensors) : published(tensors);
            opened = true;
            return network;
        } finally {
            if (!opened) {
                tensors.close();
            }
        }
    }

    private NetworkFile described(TensorFile tensors) throws IOException {
        Checkpoint found = Checkpoint.describe(tensors);
        requireSame("--model", model, found.configuration().model());
        requireSame("--activation", activation, found.configuration().activation());
        requireSame("--size", size, found.size());
        boolean named = labels != null || Checkpoint.namesClasses(tensors);
        List<String> classNames =
                labels == null ? found.classNames() : labels(found.classNames().size());
        Checkpoint description =
                new Checkpoint(found.configuration(), classNames, found.size(), found.mean(), found.std(), null);
        return new NetworkFile(tensors, description, named);
    }

    private void requireSame(String option, Object asked, Object recorded) {
        if (asked != null && !asked.equals(recorded)) {
            throw new RunException(file + " holds a network with " + option.substring(2) + " " + recorded + ", not "
                    + asked + "; leave " + option + " out");
        }
    }

    private NetworkFile published(TensorFile tensors) throws IOException {
        if (model == null) {
            throw new RunException(file + " does not say which network it holds; name it with --model");
        }
        Architecture architecture = Architecture.named(model);
        CheckpointImport weights = CheckpointImport.of(tensors);
        int classes = weights.classes(architecture);
        RunConfiguration configuration = RunConfiguration.defaults()
                .with(Map.of("model", model, "activation", Objects.requireNonNullElse(activation, "default")));
        NormalizeImage normalization = NormalizeImage.imageNet();
        Checkpoint description = new Checkpoint(
                configuration,
                labels == null ? Checkpoint.numbers(classes) : labels(classes),
                Objects.requireNonNullElse(size, architecture.defaultSize()),
                normalization.mean(),
                normalization.std(),
                null);
        return new NetworkFile(tensors, description, labels != null);
    }

    /** @throws RunException if there are not as many as classes */
    private List<String> labels(int classes) throws IOException {
        if (Files.isRegularFile(labels) && Files.size(labels) > LARGEST_LABELS) {
            throw new RunException(
                    labels + " has " + Files.size(labels) + " bytes; a file of labels has at most " + LARGEST_LABELS);
        }
        List<String> names = new ArrayList<>();
        try {
            Files.readAllLines(labels).forEach(line -> names.add(line.strip()));
        } catch (CharacterCodingException e) {
            throw new RunException(
                    labels + " is not a text in UTF-8; give a file with the name of a class on each line", e);
        }
        while (!names.isEmpty() && names.getLast().isEmpty()) {
            names.removeLast();
        }
        if (names.size() != classes || names.contains("")) {
            String problem = names.contains("")
                    ? "line " + (names.indexOf("") + 1) + " is empty"
                    : "it has " + names.size() + " names, the network " + classes + " classes";
            throw new RunException(
                    labels + " does not name the classes: " + problem + "; one name on each line is needed");
        }
        return names;
    }
}
