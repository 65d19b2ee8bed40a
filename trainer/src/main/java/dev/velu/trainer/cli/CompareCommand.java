package dev.velu.trainer.cli;

import dev.velu.models.Network;
import dev.velu.models.NetworkSpec;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.trainer.cli.Table.Align;
import dev.velu.trainer.compare.Cell;
import dev.velu.trainer.compare.CellEstimate;
import dev.velu.trainer.compare.CellEstimates;
import dev.velu.trainer.compare.CellProcess;
import dev.velu.trainer.compare.CellResult;
import dev.velu.trainer.compare.CompareProgress;
import dev.velu.trainer.compare.Comparison;
import dev.velu.trainer.compare.ComparisonRun;
import dev.velu.trainer.compare.ComparisonTables;
import dev.velu.trainer.compare.EpochChoice;
import dev.velu.trainer.compare.Grid;
import dev.velu.trainer.compare.GridFile;
import dev.velu.trainer.compare.Judgement;
import dev.velu.trainer.compare.Metric;
import dev.velu.trainer.compare.Names;
import dev.velu.trainer.compare.SeedRange;
import dev.velu.trainer.compare.TextTable;
import dev.velu.trainer.data.DatasetCatalog;
import dev.velu.trainer.report.ComparisonReport;
import dev.velu.trainer.run.RunConfiguration;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;

/** {@code velu compare}. */
@Command(
        name = "compare",
        sortOptions = false,
        abbreviateSynopsis = true,
        modelTransformer = TrainingOptions.class,
        description = {
            "Compares activation functions: trains networks with each of them, on data sets, from seeds.",
            "Every network is trained with every activation function on every data set from every seed. The"
                    + " result: mean and deviation, paired tests with correction, time and memory, as tables and as a page"
                    + " to look at.",
            "Every cell is a process of its own. However the command ends, the same command goes on: finished"
                    + " cells are not trained again. What a group of options below says holds for all cells."
        },
        optionListHeading = "%nOptions%n",
        footerHeading = "%nExamples%n",
        footer = {
            "  velu compare --models mobilenet_v2,resnet50 --activations velu,relu,gelu \\",
            "      --data mnist --data-dir data --seeds 0-4 --size 32 --output runs/digits",
            "  velu compare --models mobilenet_v2 --activations velu,relu --dry-run",
            "  velu compare --grid grid.yaml --output runs/paper",
            "  velu compare --resume --output runs/paper --metric eval_loss"
        })
final class CompareCommand implements Callable<Integer> {
    private static final Path DEFAULT_OUTPUT = Path.of("runs", "compare");

    @Option(
            names = "--models",
            paramLabel = "M[,M...]",
            description = "Networks, separated by commas (default: resnet50); see 'velu train --help'.")
    String models;

    @Option(
            names = "--activations",
            paramLabel = "A[,A...]",
            description = "Activation functions: velu, relu, relu6, silu, gelu, default (default: velu,relu).")
    String activations;

    @Option(
            names = "--data",
            paramLabel = "D[,D...]",
            description = "Data sets: names of 'velu data list', folder:PATH or zip:PATH (default: shapes).")
    String data;

    @Option(
            names = "--seeds",
            paramLabel = "N[,N...]",
            description = "Seeds of each cell, e.g. 0,1,2 or 0-4; tests need two or more (default: 0-2).")
    String seeds;

    @Option(
            names = "--grid",
            paramLabel = "FILE",
            description =
                    "A YAML file with models, activations, data, seeds and settings (of all cells), and model_settings,"
                            + " activation_settings and data_settings (by name); options override it.")
    Path grid;

    @Option(names = "--output", paramLabel = "DIR", description = "Folder for the results (default: runs/compare).")
    Path output = DEFAULT_OUTPUT;

    @Option(names = "--resume", description = "Go on with the grid in --output, which then is not said again.")
    boolean resume;

    @Option(
            names = "--dry-run",
            description =
                    "Train nothing: list the cells with the time and the memory that they will need. The time is that"
                            + " of finished cells like them in --output, else of a few training steps.")
    boolean dryRun;

    @Option(
            names = "--metric",
            paramLabel = "NAME",
            description = "What is compared: eval_top1, eval_top5, eval_loss, train_top1, train_loss or"
                    + " images_per_second (default: eval_top1).")
    String metric;

    @Option(
            names = "--epoch",
            paramLabel = "last|best",
            description =
                    "Which epoch of a cell counts. The best one is chosen on the images that it is judged by, which"
                            + " flatters (default: last).")
    String epoch;

    @Option(
            names = "--baseline",
            paramLabel = "A",
            description = "The activation that all others are tested against (default: velu, or the first).")
    String baseline;

    @Spec
    CommandSpec spec;

    @ParentCommand
    VeluCommand velu;

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (output.toString().isBlank()) {
            throw new ParameterException(spec.commandLine(), "--output names no folder; use . for the current one");
        }
        List<Cell> cells = resume ? savedCells() : WrongUsage.unless(spec, this::cells);
        Judgement before = resume ? ComparisonRun.savedJudgement(output) : null;
        Judgement judgement = WrongUsage.unless(spec, () -> judgement(cells, before));
        requireRunnable(cells);
        if (dryRun) {
            listCells(cells);
            return Main.DONE;
        }
        ComparisonRun run = new ComparisonRun(
                output,
                cells,
                judgement,
                new CellProcess(List.of("cell"), velu != null && velu.verbose),
                new CompareProgress(System.err, Terminal.onStderr()),
                ComparisonReport::write);
        Comparison comparison = run.run();
        if (run.stopped()) {
            return Main.DONE;
        }
        report(comparison);
        return verdict(comparison);
    }

    /** The cells of the folder's grid, with what the command line says of the machine. */
    private List<Cell> savedCells() throws IOException {
        if (Stream.of(models, activations, data, seeds, grid).anyMatch(Objects::nonNull)) {
            throw new ParameterException(
                    spec.commandLine(), "--resume takes the grid from --output; leave out what says another one");
        }
        List<Cell> saved = ComparisonRun.savedCells(output);
        Set<String> compared = new LinkedHashSet<>();
        saved.forEach(cell -> compared.add(cell.activation()));
        return WrongUsage.unless(
                spec,
                () -> saved.stream()
                        .map(cell -> Cell.of(overridden(cell.configuration(), compared)
                                .with(Map.of("activation", cell.activation()))))
                        .toList());
    }

    private List<Cell> cells() {
        GridFile file = grid == null ? GridFile.none() : GridFile.read(grid);
        Grid whole = new Grid(
                firstOf(names("--models", models), file.models(), List.of("resnet50")),
                firstOf(names("--activations", activations), file.activations(), List.of("velu", "relu")),
                firstOf(names("--data", data), file.data(), List.of("shapes")),
                firstOf(seeds == null ? null : SeedRange.parse(seeds), file.seeds(), List.of(0L, 1L, 2L)),
                file.settings(),
                file.modelSettings(),
                file.activationSettings(),
                file.dataSettings());
        return whole.cells(configuration -> overridden(configuration, whole.activations()));
    }

    /**
     * With the options of the groups. Constants of VeLU are for its cells, so they are refused only if there is none; that they stand in
     * the other cells, too, has no effect.
     */
    private RunConfiguration overridden(RunConfiguration configuration, Collection<String> compared) {
        ParseResult parsed = spec.commandLine().getParseResult();
        return Settings.apply(
                parsed, compared.contains("velu") ? configuration.with(Map.of("activation", "velu")) : configuration);
    }

    private static List<String> names(String option, String text) {
        return text == null ? null : Names.split(option, text);
    }

    /** What the command line says, else what the file says, else what is usual. */
    private static <T> T firstOf(T said, T written, T usual) {
        return said != null ? said : written != null ? written : usual;
    }

    /** @param before how the cells were judged the last time, which counts where nothing else is said; null for the first time */
    private Judgement judgement(List<Cell> cells, Judgement before) {
        List<String> compared = cells.stream().map(Cell::activation).distinct().toList();
        Judgement usual = before != null ? before : Judgement.usual(compared);
        String against = baseline != null ? baseline : usual.baseline();
        if (!compared.contains(against)) {
            throw new IllegalArgumentException(
                    "--baseline " + against + " is not compared; name one of " + String.join(", ", compared));
        }
        return new Judgement(
                metric != null ? Metric.named(metric) : usual.metric(),
                epoch != null ? EpochChoice.named(epoch) : usual.epoch(),
                against);
    }

    /** Finds what cannot be trained before anything is: networks, devices, data. */
    private void requireRunnable(List<Cell> cells) {
        Set<Machine> machines = new HashSet<>();
        Map<String, DataFacts> data = new HashMap<>();
        Set<RunConfiguration> built = new HashSet<>();
        for (Cell cell : cells) {
            RunConfiguration given = cell.configuration();
            if (!built.add(given.with(Map.of("seed", 0L)))) {
                continue;
            }
            machines.add(machine(given));
            DataFacts facts = data.computeIfAbsent(given.data(), name -> DataFacts.of(given));
            WrongUsage.unless(spec, () -> record(cell, facts));
        }
    }

    private Machine machine(RunConfiguration given) {
        return Machine.of(spec, given.device(), given.precision(), given.tf32());
    }

    /** What a network must know of the images. */
    private record DataFacts(int classes, int imageSize) {
        static DataFacts of(RunConfiguration given) {
            Path folder = given.dataDir() == null ? null : Path.of(given.dataDir());
            try (var pair = DatasetCatalog.open(given.data(), folder)) {
                return new DataFacts(
                        pair.train().classNames().size(),
                        DatasetCatalog.entry(given.data()).imageSize());
            }
        }
    }

    private static Network record(Cell cell, DataFacts data) {
        RunConfiguration given = cell.configuration();
        try {
            NetworkSpec network = given.network(data.classes(), given.size() != null ? given.size() : data.imageSize());
            return Network.build(network, new Parameters(), given.batchSize(), true, NormalizeImage.imageNet());
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("cell " + cell.id() + ": " + e.getMessage(), e);
        }
    }

    private void listCells(List<Cell> cells) throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        Map<String, CellResult> results =
                Comparison.isComparison(output) ? Comparison.read(output).results() : Map.of();
        CellEstimates estimates = new CellEstimates(results);
        Table table = new Table(Align.LEFT, Align.RIGHT, Align.RIGHT, Align.LEFT);
        table.row("cell", "time", "planned MiB", "time from").rule();
        double total = 0;
        int unknown = 0;
        long left = 0;
        for (Cell cell : cells) {
            CellEstimate estimate = estimates.of(cell);
            boolean done = estimate.source() == CellEstimate.Source.DONE;
            table.row(
                    cell.id(),
                    done ? "" : estimate.seconds() < 0 ? "-" : CompareProgress.duration(estimate.seconds()),
                    ComparisonTables.mebibytes(estimate.memoryBytes()),
                    estimate.problem() != null
                            ? estimate.problem()
                            : estimate.source().label());
            left += done ? 0 : 1;
            unknown += estimate.seconds() < 0 ? 1 : 0;
            total += Math.max(0, estimate.seconds());
        }
        table.rule();
        table.row(
                left + " of " + cells.size() + " cells to train",
                CompareProgress.duration(total),
                "",
                unknown == 0 ? "" : "without " + unknown + " unknown");
        table.print(out);
    }

    private void report(Comparison comparison) {
        PrintWriter out = spec.commandLine().getOut();
        printWrapped(ComparisonTables.caption(comparison), out);
        out.println();
        print(ComparisonTables.means(comparison.summary()), out);
        if (!comparison.summary().tests().isEmpty()) {
            out.println();
            printWrapped(ComparisonTables.testsCaption(comparison.summary()), out);
            out.println();
            print(ComparisonTables.tests(comparison.summary()), out);
            out.println();
            out.println(ComparisonTables.friedman(comparison.summary()));
        }
        out.println();
        print(ComparisonTables.costs(comparison.summary()), out);
        out.println();
        out.println("results in " + comparison.folder());
        new Table(Align.LEFT, Align.LEFT)
                .row("  report.html", "tables and plots to look at in a browser")
                .row("  results.jsonl", "one line per cell")
                .row("  table.md, table.csv, tests.csv", "these tables")
                .row("  summary.json", "the same with all digits")
                .row("  cells", "the run of every cell")
                .print(out);
    }

    /** A paragraph in lines of at most the width of a help page, where words allow. */
    private static void printWrapped(String text, PrintWriter out) {
        StringBuilder line = new StringBuilder();
        for (String word : text.split(" ")) {
            if (!line.isEmpty() && line.length() + 1 + word.length() > Main.HELP_WIDTH) {
                out.println(line);
                line.setLength(0);
            }
            line.append(line.isEmpty() ? "" : " ").append(word);
        }
        out.println(line);
    }

    private static void print(TextTable text, PrintWriter out) {
        Align[] aligns = new Align[text.header().size()];
        for (int i = 0; i < aligns.length; i++) {
            aligns[i] = i < text.labels() ? Align.LEFT : Align.RIGHT;
        }
        Table table = new Table(aligns).row(text.header().toArray()).rule();
        text.rows().forEach(row -> table.row(row.toArray()));
        table.print(out);
    }

    private int verdict(Comparison comparison) {
        long left = comparison.cells().size() - comparison.finished();
        if (left == 0) {
            return Main.DONE;
        }
        String first = comparison.failures().stream()
                .findFirst()
                .map(failure -> " (" + failure.cell() + ": " + failure.error() + ")")
                .orElse("");
        spec.commandLine()
                .getErr()
                .println(FailureMessage.oneLine("velu: " + left + " of "
                        + comparison.cells().size() + " cells are not finished" + first
                        + "; the same command tries them again"));
        return Main.FAILED;
    }
}
