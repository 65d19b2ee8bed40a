package dev.velu.trainer.cli;

import dev.velu.models.Architecture;
import dev.velu.trainer.run.RunConfiguration;
import dev.velu.trainer.run.TrainedNetwork;
import dev.velu.trainer.run.Weights;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** The network of a command that uses a trained one: a checkpoint, or other weights and what has to be said of them. */
final class WeightsOptions {
    @Option(
            names = "--checkpoint",
            paramLabel = "PATH",
            description = "A checkpoint of 'velu train', or what 'velu export' made of one.")
    Path checkpoint;

    @Option(
            names = "--weights",
            paramLabel = "FILE",
            description = "Instead of a checkpoint: weights with torchvision's names, safetensors or a file of PyTorch"
                    + " (.pth, .pt).")
    Path weights;

    @Option(
            names = "--model",
            paramLabel = "M",
            description = "With --weights: the network they are of; see 'velu train --help'.")
    String model;

    @Option(
            names = "--activation",
            paramLabel = "A",
            description = "With --weights: the activation function (default: the one the network was published with).")
    String activation;

    @Option(
            names = "--size",
            paramLabel = "PX",
            description = "With --weights: height and width of the images (default: what the network was published"
                    + " for).")
    Integer size;

    @Option(
            names = "--labels",
            paramLabel = "FILE",
            description = "With --weights: text file with the name of a class on each line (default: their numbers).")
    Path labels;

    /** Checks that there is one network, before anything is read; otherwise wrong usage. */
    void check(CommandSpec spec) {
        if (checkpoint == null && weights == null) {
            throw new ParameterException(
                    spec.commandLine(), "give the network: --checkpoint PATH, or --weights FILE with --model M");
        }
        if (checkpoint != null && weights != null) {
            throw new ParameterException(spec.commandLine(), "give --checkpoint or --weights, not both");
        }
        if (checkpoint != null) {
            requireAbsent(spec, "--model", model);
            requireAbsent(spec, "--activation", activation);
            requireAbsent(spec, "--size", size);
            requireAbsent(spec, "--labels", labels);
        }
        WrongUsage.unless(spec, this::describe);
    }

    /** What is said of the weights, put together once: what cannot be is wrong usage. */
    private RunConfiguration describe() {
        Map<String, Object> given = new HashMap<>();
        given.put(
                "model",
                Objects.requireNonNullElse(model, RunConfiguration.defaults().model()));
        given.put("activation", Objects.requireNonNullElse(activation, "default"));
        given.put("size", size);
        RunConfiguration configuration = RunConfiguration.defaults().with(given);
        if (model != null) {
            configuration.network(
                    1,
                    Objects.requireNonNullElse(size, Architecture.named(model).defaultSize()));
        }
        return configuration;
    }

    private static void requireAbsent(CommandSpec spec, String option, Object value) {
        if (value != null) {
            throw new ParameterException(
                    spec.commandLine(), option + " goes with --weights; a checkpoint says it itself");
        }
    }

    /** Where the network comes from. */
    Path file() {
        return checkpoint != null ? checkpoint : weights;
    }

    /** Loads the network. */
    TrainedNetwork open(Machine machine, int threads, int batchSize) throws IOException {
        if (checkpoint != null) {
            return new TrainedNetwork(
                    checkpoint, machine.device(), machine.options(threads), machine.precision(), batchSize);
        }
        return new TrainedNetwork(
                new Weights(weights, model, activation, size, labels),
                machine.device(),
                machine.options(threads),
                machine.precision(),
                batchSize);
    }
}
