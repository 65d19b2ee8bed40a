package dev.velu.trainer.cli;

import dev.velu.trainer.run.TrainedNetwork;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code velu export}. */
@Command(
        name = "export",
        sortOptions = false,
        abbreviateSynopsis = true,
        description = {
            "Writes a network for other programs: safetensors or ONNX.",
            "Format safetensors: all tensors under torchvision's names and in torchvision's axis order, VeLU's"
                    + " lambdas under their names here.",
            "Format onnx: a model of standard operators, VeLU included; its input is float32 [N, 3, S, S],"
                    + " normalized with the mean and std in its metadata, its output the logits.",
            "The file is written whole or not at all."
        },
        optionListHeading = "%nOptions%n",
        footerHeading = "%nExamples%n",
        footer = {
            "  velu export --checkpoint best.safetensors --output photos.safetensors",
            "  velu export --checkpoint best.safetensors --format onnx --output photos.onnx",
            "  velu export --weights vgg19.pth --model vgg19 --output vgg19.safetensors"
        })
final class ExportCommand implements Callable<Integer> {
    @Mixin
    WeightsOptions network;

    @Option(
            names = "--format",
            paramLabel = "F",
            description = "Format of the file: safetensors or onnx (default: ${DEFAULT-VALUE}).")
    String format = Format.SAFETENSORS.label();

    @Option(names = "--output", paramLabel = "FILE", required = true, description = "The file to write.")
    Path output;

    @Spec
    CommandSpec spec;

    /** What a network can be written as. */
    private enum Format {
        SAFETENSORS,
        ONNX;

        String label() {
            return name().toLowerCase(Locale.ROOT);
        }

        static Format named(String label) {
            return Arrays.stream(values())
                    .filter(format -> format.label().equals(label))
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException("unknown format '" + label + "'; use one of "
                            + Arrays.stream(values()).map(Format::label).collect(Collectors.joining(", "))));
        }
    }

    @Override
    public Integer call() throws IOException {
        Format as = WrongUsage.unless(spec, () -> Format.named(format));
        if (output.toString().isBlank()) {
            throw new ParameterException(spec.commandLine(), "--output names no file");
        }
        network.check(spec);
        Machine cpu = Machine.of(spec, "cpu", "fp32", false);
        try (TrainedNetwork loaded = network.open(cpu, 0, 1)) {
            loaded.notes().forEach(spec.commandLine().getErr()::println);
            switch (as) {
                case SAFETENSORS -> loaded.exportSafeTensors(output);
                case ONNX -> loaded.exportOnnx(output);
            }
        }
        spec.commandLine().getOut().println("wrote " + output);
        return Main.DONE;
    }
}
