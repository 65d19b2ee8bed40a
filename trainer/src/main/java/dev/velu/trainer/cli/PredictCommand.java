package dev.velu.trainer.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.velu.trainer.data.CorruptImageException;
import dev.velu.trainer.run.TrainedNetwork;
import dev.velu.trainer.run.TrainedNetwork.Prediction;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code velu predict}. */
@Command(
        name = "predict",
        sortOptions = false,
        abbreviateSynopsis = true,
        description = {
            "Classifies image files with a checkpoint or published weights.",
            "Files are JPEG, PNG, BMP or GIF. An image that cannot be read is named on stderr; the others are"
                    + " classified, and the exit status is 1."
        },
        parameterListHeading = "%nArguments%n",
        optionListHeading = "%nOptions%n",
        footerHeading = "%nExamples%n",
        footer = {
            "  velu predict --checkpoint runs/photos/checkpoint-best.safetensors cat.jpg",
            "  velu predict --checkpoint best.safetensors --top 1 --json *.jpg",
            "  velu predict --weights vgg19.pth --model vgg19 --labels imagenet.txt cat.jpg"
        })
final class PredictCommand implements Callable<Integer> {
    @Mixin
    WeightsOptions network;

    @Option(
            names = "--top",
            paramLabel = "K",
            description = "Show the K most probable classes (default: ${DEFAULT-VALUE}).")
    int top = 5;

    @Mixin
    DeviceOptions machine;

    @Mixin
    PrecisionOptions precision;

    @Option(names = "--json", description = "Print JSON.")
    boolean json;

    @Parameters(paramLabel = "IMAGE", arity = "1..*", description = "Files to classify.")
    List<Path> images;

    @Spec
    CommandSpec spec;

    /** One image: its classes, the most probable first, or why there are none. */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Line(String image, List<Prediction> predictions, String error) {}

    @Override
    public Integer call() throws IOException {
        if (top < 1) {
            throw new ParameterException(spec.commandLine(), "--top " + top + " is not positive");
        }
        network.check(spec);
        machine.device(spec);
        Machine on = Machine.of(spec, machine.device, precision.precision, precision.tf32);
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        List<Line> lines = new ArrayList<>();
        try (TrainedNetwork loaded = network.open(on, machine.threads, 1)) {
            loaded.notes().forEach(err::println);
            for (Path image : images) {
                Line line = classify(loaded, image);
                if (line.error() != null) {
                    err.println("velu: " + line.error());
                } else if (!json) {
                    print(line, out);
                }
                lines.add(line);
            }
        }
        if (json) {
            Json.print(out, lines);
        }
        return lines.stream().allMatch(line -> line.error() == null) ? Main.DONE : Main.FAILED;
    }

    private Line classify(TrainedNetwork loaded, Path image) {
        try {
            return new Line(image.toString(), loaded.predict(image, top), null);
        } catch (CorruptImageException e) {
            return new Line(
                    image.toString(), null, FailureMessage.oneLine("cannot read '" + image + "': " + e.reason()));
        }
    }

    private static void print(Line line, PrintWriter out) {
        out.println(line.image());
        for (Prediction prediction : line.predictions()) {
            out.println(String.format(
                    Locale.ROOT, "  %6.2f %%  %s", 100 * prediction.probability(), prediction.className()));
        }
    }
}
