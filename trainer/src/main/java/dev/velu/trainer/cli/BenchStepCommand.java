package dev.velu.trainer.cli;

import dev.velu.device.Context;
import dev.velu.device.DeviceInfo;
import dev.velu.models.Network;
import dev.velu.models.NetworkSpec;
import dev.velu.models.TrainingStep;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.optim.Optimizer;
import dev.velu.trainer.cli.Table.Align;
import dev.velu.trainer.run.RunConfiguration;
import java.io.PrintWriter;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code velu bench step}. */
@Command(
        name = "step",
        sortOptions = false,
        description =
                "Times whole training steps on random images: copy to the device, forward, loss, backward, optimizer,"
                        + " and the loss read back. Steps follow each other as in training: on a GPU the next one is given"
                        + " to the device while the one before it runs.",
        optionListHeading = "%nOptions%n",
        footerHeading = "%nExamples%n",
        footer = {
            "  velu bench step --model resnet50 --size 64 --batch-size 8",
            "  velu bench step --device cuda --precision bf16 --batch-size 256 --steps 50 --json"
        })
final class BenchStepCommand implements Callable<Integer> {
    @ArgGroup(validate = false, heading = "%nNetwork%n")
    NetworkOptions network = new NetworkOptions();

    @ArgGroup(validate = false, heading = "%nConstants of VeLU%n")
    VeluOptions velu = new VeluOptions();

    @Option(names = "--classes", paramLabel = "N", description = "Classes (default: ${DEFAULT-VALUE}).")
    int classes = 1000;

    @Option(
            names = "--size",
            paramLabel = "N",
            description = "Height and width of the images (default: ${DEFAULT-VALUE}).")
    int size = 224;

    @Option(names = "--batch-size", paramLabel = "N", description = "Images per step (default: ${DEFAULT-VALUE}).")
    int batchSize = 32;

    @Option(
            names = "--optimizer",
            paramLabel = "O",
            description = "sgd (with momentum), adam, adamw or nadam (default: ${DEFAULT-VALUE}).")
    String optimizer = "sgd";

    @Option(names = "--steps", paramLabel = "N", description = "Steps timed (default: ${DEFAULT-VALUE}).")
    int steps = 20;

    @Option(
            names = "--warmup",
            paramLabel = "N",
            description = "Steps before them, which choose implementations and record graphs (default:"
                    + " ${DEFAULT-VALUE}).")
    int warmup = 5;

    @Mixin
    DeviceOptions machine;

    @Mixin
    PrecisionOptions precision;

    @Option(names = "--json", description = "Print JSON.")
    boolean json;

    @Spec
    CommandSpec spec;

    /**
     * What is printed as JSON.
     *
     * @param medianMilliseconds from the end of one step to that of the next
     * @param spread interquartile range of the steps as a fraction of the median
     * @param imagesPerSecond at the median
     * @param memoryBytes device memory held: parameters, gradients, optimizer, the plan's, scratch
     * @param loss cross-entropy of the last step, without the W2 term; null if it is not finite
     */
    record Report(
            String implementation,
            String model,
            String activation,
            String precision,
            boolean tf32,
            String optimizer,
            String device,
            String deviceName,
            int size,
            int batchSize,
            int steps,
            double medianMilliseconds,
            double spread,
            double minMilliseconds,
            double imagesPerSecond,
            long memoryBytes,
            Double loss) {}

    @Override
    public Integer call() {
        if (steps < 1 || warmup < 0) {
            throw new ParameterException(
                    spec.commandLine(),
                    steps < 1 ? "--steps " + steps + " is not positive" : "--warmup " + warmup + " is negative");
        }
        RunConfiguration settings = WrongUsage.unless(
                spec,
                () -> Settings.apply(spec.commandLine().getParseResult(), RunConfiguration.defaults())
                        .with(Map.of(
                                "optimizer", optimizer, "batch_size", batchSize, "precision", precision.precision)));
        NetworkSpec described = WrongUsage.unless(spec, () -> settings.network(classes, size));
        machine.device(spec);
        Machine on = Machine.of(spec, machine.device, precision.precision, precision.tf32);
        Report report = measure(settings, described, on);
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            Json.print(out, report);
        } else {
            print(report, out);
        }
        return Main.DONE;
    }

    private Report measure(RunConfiguration settings, NetworkSpec described, Machine on) {
        Parameters parameters = new Parameters();
        Network recorded = Network.build(described, parameters, batchSize, true, NormalizeImage.imageNet());
        try (Context context = Context.open(on.device(), on.options(machine.threads))) {
            parameters.allocate(context, true);
            parameters.initialize(settings.seed());
            Optimizer optimizing = new Optimizer(parameters, settings.algorithm(), settings.clip(), context);
            MemorySegment images = context.allocateHost((long) batchSize * size * size * 3);
            MemorySegment labels = context.allocateHost((long) batchSize * Integer.BYTES);
            fill(images, labels);
            try (TrainingStep step = new TrainingStep(recorded, context, optimizing, settings.labelSmoothing())) {
                double[] milliseconds = time(step, images, labels);
                Arrays.sort(milliseconds);
                double median = milliseconds[steps / 2];
                double quarters = milliseconds[steps - 1 - steps / 4] - milliseconds[steps / 4];
                return new Report(
                        "velu",
                        settings.model(),
                        settings.activation(),
                        on.precision().label(),
                        on.tf32(),
                        settings.optimizer(),
                        on.device().toString(),
                        DeviceInfo.query(on.device()).name(),
                        size,
                        batchSize,
                        steps,
                        median,
                        quarters / median,
                        milliseconds[0],
                        1e3 * batchSize / median,
                        context.allocatedBytes(),
                        Float.isFinite(step.loss()) ? (double) step.loss() : null);
            }
        }
    }

    private void fill(MemorySegment images, MemorySegment labels) {
        Random random = new Random(1);
        byte[] pixels = new byte[size * size * 3];
        for (int i = 0; i < batchSize; i++) {
            random.nextBytes(pixels);
            MemorySegment.copy(pixels, 0, images, ValueLayout.JAVA_BYTE, (long) i * pixels.length, pixels.length);
            labels.setAtIndex(ValueLayout.JAVA_INT, i, random.nextInt(classes));
        }
    }

    /** Milliseconds from the end of each step to that of the next. */
    private double[] time(TrainingStep step, MemorySegment images, MemorySegment labels) {
        float rate = 1e-4f;
        double[] milliseconds = new double[steps];
        long last = 0;
        int ended = 0;
        for (int submitted = 0; ended <= warmup + steps; ) {
            if (submitted <= warmup + steps && step.inFlight() < step.capacity()) {
                step.submit(images, labels, rate);
                submitted++;
                continue;
            }
            step.await();
            long now = System.nanoTime();
            if (ended > warmup) {
                milliseconds[ended - warmup - 1] = (now - last) / 1e6;
            }
            last = now;
            ended++;
        }
        return milliseconds;
    }

    private static void print(Report report, PrintWriter out) {
        Table table = new Table(Align.LEFT, Align.LEFT);
        table.row(
                "network",
                report.model() + " with " + report.activation() + ", images " + report.size() + " x " + report.size()
                        + ", batch size " + report.batchSize());
        table.row(
                "computed",
                report.precision() + (report.tf32() ? " with TF32" : "") + ", " + report.optimizer() + ", on "
                        + report.device() + " (" + report.deviceName() + ")");
        table.row(
                "step",
                String.format(
                        Locale.ROOT,
                        "%.2f ms, median of %d, interquartile range %.1f %%, fastest %.2f ms",
                        report.medianMilliseconds(),
                        report.steps(),
                        100 * report.spread(),
                        report.minMilliseconds()));
        table.row("images/s", String.format(Locale.ROOT, "%.1f", report.imagesPerSecond()));
        table.row("device memory", ByteCount.human(report.memoryBytes()));
        table.row("loss", report.loss() == null ? "not finite" : String.format(Locale.ROOT, "%.4f", report.loss()));
        table.print(out);
    }
}
