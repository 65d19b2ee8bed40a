package dev.velu.trainer.cli;

import dev.velu.device.Context;
import dev.velu.models.ActivationSite;
import dev.velu.models.Architecture;
import dev.velu.models.Layer;
import dev.velu.models.Network;
import dev.velu.models.NetworkSpec;
import dev.velu.models.PlannedMemory;
import dev.velu.nn.Parameter;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.trainer.cli.Table.Align;
import dev.velu.trainer.run.RunConfiguration;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code velu summary}. */
@Command(
        name = "summary",
        sortOptions = false,
        abbreviateSynopsis = true,
        description = {
            "Shows a network layer by layer.",
            "Parameters, multiplications, activation sites, and the memory that training and inference will" + " need."
        },
        optionListHeading = "%nOptions%n",
        footerHeading = "%nExamples%n",
        footer = {
            "  velu summary --model resnet50",
            "  velu summary --model densenet121 --depth 2",
            "  velu summary --model vit_b_16 --classes 10 --size 128 --batch-size 64",
            "  velu summary --model resnet50 --sites head --head paper --json"
        })
final class SummaryCommand implements Callable<Integer> {
    @Option(names = "--classes", paramLabel = "N", description = "Number of classes (default: ${DEFAULT-VALUE}).")
    int classes = 1000;

    @Option(
            names = "--size",
            paramLabel = "PX",
            description = "Height and width of the images (default: what the network was published for).")
    Integer size;

    @Option(
            names = "--batch-size",
            paramLabel = "B",
            description = "Images in a batch, for the memory (default: ${DEFAULT-VALUE}).")
    int batchSize = 32;

    @Option(
            names = "--depth",
            paramLabel = "N",
            description = "Levels of the layer table: modules below the N-th are summed up (default: all).")
    int depth = Integer.MAX_VALUE;

    @Option(
            names = "--optimizer",
            paramLabel = "O",
            description = "sgd (with momentum), adam, adamw or nadam, for the memory (default: ${DEFAULT-VALUE}).")
    String optimizer = RunConfiguration.defaults().optimizer();

    @Option(
            names = "--device",
            paramLabel = "D",
            description = "Device whose scratch memory is counted: auto, cpu, cuda or cuda:INDEX"
                    + " (default: ${DEFAULT-VALUE}).")
    String device = "auto";

    @Mixin
    PrecisionOptions precision;

    @Option(names = "--json", description = "Print JSON.")
    boolean json;

    @ArgGroup(validate = false, heading = "%nNetwork%n")
    NetworkOptions network = new NetworkOptions();

    @ArgGroup(validate = false, heading = "%nConstants of VeLU%n")
    VeluOptions velu = new VeluOptions();

    @Spec
    CommandSpec spec;

    /**
     * What is printed as JSON.
     *
     * @param params trainable values of the architecture as published, without VeLU's lambdas
     * @param activationParams VeLU's lambdas
     * @param buffers values that are kept but not trained: running statistics and counters
     * @param macs multiplications with an addition of one forward pass of one image
     * @param activationSites number of places where an activation function is applied
     */
    record Summary(
            String model,
            String activation,
            String sites,
            String head,
            int classes,
            int size,
            int batchSize,
            String optimizer,
            String precision,
            long params,
            long activationParams,
            long buffers,
            long macs,
            int activationSites,
            Memory memory,
            List<StageLine> stages,
            List<LayerLine> layers,
            List<SiteLine> activations) {}

    /** Planned bytes for the batch. */
    record Memory(Need training, Need inference) {}

    /** Bytes. */
    record Need(
            long parameters,
            long gradients,
            long optimizerState,
            long packedParameters,
            long temporaries,
            long inputsAndResults,
            long workspace,
            long total) {
        static Need of(PlannedMemory memory) {
            return new Need(
                    memory.parameters(),
                    memory.gradients(),
                    memory.optimizerState(),
                    memory.packedParameters(),
                    memory.temporaries(),
                    memory.inputsAndResults(),
                    memory.workspace(),
                    memory.total());
        }
    }

    /** macs of one image. */
    record LayerLine(String name, String type, long[] output, long params, long macs) {
        static LayerLine of(Layer layer, int batch) {
            return new LayerLine(
                    layer.name(), layer.type(), layer.output().toArray(), layer.parameters(), layer.macs() / batch);
        }
    }

    /** Output of a block or stage. */
    record StageLine(String name, long[] output) {
        static StageLine of(Layer stage) {
            return new StageLine(stage.name(), stage.output().toArray());
        }
    }

    record SiteLine(String path, int call, long[] shape, String activation) {
        static SiteLine of(ActivationSite site) {
            return new SiteLine(site.path(), site.call(), site.shape().toArray(), site.activation());
        }
    }

    @Override
    public Integer call() {
        WrongUsage.unless(spec, () -> requireDepth(depth));
        RunConfiguration settings = WrongUsage.unless(
                spec,
                () -> Settings.apply(spec.commandLine().getParseResult(), RunConfiguration.defaults())
                        .with(Map.of(
                                "optimizer", optimizer, "batch_size", batchSize, "precision", precision.precision)));
        NetworkSpec described = WrongUsage.unless(spec, () -> settings.network(classes, sizeFor(settings)));
        Network recorded = WrongUsage.unless(
                spec, () -> Network.build(described, new Parameters(), batchSize, true, NormalizeImage.imageNet()));
        Machine on = Machine.of(spec, device, precision.precision, precision.tf32);
        Summary summary = summarize(settings, recorded, on);
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            Json.print(out, summary);
        } else {
            print(summary, depth, out);
        }
        return Main.DONE;
    }

    private static int requireDepth(int depth) {
        if (depth < 1) {
            throw new IllegalArgumentException("--depth " + depth + " is not positive");
        }
        return depth;
    }

    private int sizeFor(RunConfiguration settings) {
        return size != null ? size : Architecture.named(settings.model()).defaultSize();
    }

    private static Summary summarize(RunConfiguration settings, Network network, Machine machine) {
        NetworkSpec described = network.spec();
        int batch = settings.batchSize();
        PlannedMemory inference;
        PlannedMemory training;
        // Scratch memory never shrinks: the smaller need is asked for first, each on a context of its own.
        try (Context context = Context.open(machine.device(), machine.options(0))) {
            inference = PlannedMemory.inference(described, batch, context);
        }
        try (Context context = Context.open(machine.device(), machine.options(0))) {
            training = PlannedMemory.training(described, batch, settings.algorithm(), context);
        }
        return new Summary(
                settings.model(),
                settings.activation(),
                settings.sites(),
                settings.head(),
                described.classes(),
                described.size(),
                batch,
                settings.optimizer(),
                settings.precision(),
                network.parameterCount(),
                network.parameters().count(Parameter.Role.ACTIVATION),
                network.parameters().count(Parameter.Role.BUFFER),
                network.macsPerImage(),
                network.sites().size(),
                new Memory(Need.of(training), Need.of(inference)),
                network.stages().stream().map(StageLine::of).toList(),
                network.layers().stream()
                        .map(layer -> LayerLine.of(layer, batch))
                        .toList(),
                network.sites().stream().map(SiteLine::of).toList());
    }

    private static void print(Summary summary, int depth, PrintWriter out) {
        Table table = new Table(Align.LEFT, Align.LEFT, Align.LEFT, Align.RIGHT, Align.RIGHT);
        table.row("layer", "type", "output", "params", "MACs per image").rule();
        for (LayerTree.Row row : LayerTree.rows(summary.layers(), summary.stages(), depth)) {
            table.row(
                    "  ".repeat(row.level()) + row.name(),
                    row.type(),
                    shape(row.output()),
                    number(row.params()),
                    number(row.macs()));
        }
        table.rule().row("total", "", "", number(summary.params()), number(summary.macs()));
        table.print(out);
        out.println();
        Table totals = new Table(Align.LEFT, Align.LEFT);
        totals.row(
                "network",
                summary.model() + ", " + summary.classes() + " classes, images " + summary.size() + " x "
                        + summary.size());
        totals.row(
                "activation",
                summary.activation() + " at " + summary.activationSites() + " sites (sites " + summary.sites()
                        + ", head " + summary.head() + ")");
        totals.row(
                "parameters",
                number(summary.params()) + ", and " + number(summary.activationParams()) + " of the activation; "
                        + number(summary.buffers()) + " values in buffers");
        totals.row("MACs per image", number(summary.macs()));
        totals.print(out);
        out.println();
        Need training = summary.memory().training();
        Need inference = summary.memory().inference();
        Table memory = new Table(Align.LEFT, Align.RIGHT, Align.RIGHT);
        memory.row(
                        "planned memory, batch size " + summary.batchSize() + ", " + summary.precision(),
                        "training",
                        "inference")
                .rule();
        memory.row("parameters and buffers", bytes(training.parameters()), bytes(inference.parameters()));
        memory.row("gradients", bytes(training.gradients()), bytes(inference.gradients()));
        memory.row(
                "state of " + summary.optimizer(), bytes(training.optimizerState()), bytes(inference.optimizerState()));
        memory.row("packed parameters", bytes(training.packedParameters()), bytes(inference.packedParameters()));
        memory.row("temporaries", bytes(training.temporaries()), bytes(inference.temporaries()));
        memory.row("inputs and results", bytes(training.inputsAndResults()), bytes(inference.inputsAndResults()));
        memory.row("workspace", bytes(training.workspace()), bytes(inference.workspace()));
        memory.rule().row("total", bytes(training.total()), bytes(inference.total()));
        memory.print(out);
    }

    private static String shape(long[] sizes) {
        return Arrays.toString(sizes);
    }

    private static String number(long value) {
        return String.format(Locale.ROOT, "%,d", value);
    }

    private static String bytes(long value) {
        return ByteCount.human(value);
    }
}
