package dev.velu.trainer.cli;

import dev.velu.trainer.cli.Table.Align;
import dev.velu.trainer.data.DataFolder;
import dev.velu.trainer.data.DatasetCatalog;
import dev.velu.trainer.data.DatasetCatalog.Entry;
import dev.velu.trainer.data.RemoteFile;
import java.io.PrintWriter;
import java.net.URI;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code velu data list}. */
@Command(
        name = "list",
        sortOptions = false,
        description = {
            "Lists the data sets: what to give as --data, and which are here.",
            "With a NAME, all about that one."
        },
        parameterListHeading = "%nArguments%n",
        optionListHeading = "%nOptions%n",
        footerHeading = "%nExamples%n",
        footer = {"  velu data list", "  velu data list eurosat", "  velu data list --json"})
final class DataListCommand implements Callable<Integer> {
    @Parameters(arity = "0..1", paramLabel = "NAME", description = "A data set to tell all about (default: list all).")
    String name;

    @Option(
            names = "--data-dir",
            paramLabel = "DIR",
            description = "Where to look for files (default: $VELU_DATA_DIR, else ~/.cache/velu/data).")
    Path dataDir;

    @Option(names = "--json", description = "Print JSON.")
    boolean json;

    @Spec
    CommandSpec spec;

    /**
     * What {@code --json} says of a data set.
     *
     * @param classes 0 where it depends on the files
     * @param place where its files are; null if they are not here
     * @param mean per channel, in units of [0, 1]
     * @param std per channel, in units of [0, 1]
     */
    record Listed(
            String name,
            String title,
            String description,
            int classes,
            int imageSize,
            int trainCount,
            int evalCount,
            String format,
            String source,
            String licence,
            String files,
            float[] mean,
            float[] std,
            boolean horizontalFlip,
            List<RemoteFile> downloads,
            long downloadBytes,
            String place) {

        static Listed of(Entry entry, Optional<Path> place) {
            return new Listed(
                    entry.name(),
                    entry.title(),
                    entry.description(),
                    entry.classes(),
                    entry.imageSize(),
                    entry.trainCount(),
                    entry.evalCount(),
                    entry.format().title(),
                    entry.source(),
                    entry.licence(),
                    entry.files(),
                    entry.normalization().mean(),
                    entry.normalization().std(),
                    entry.horizontalFlip(),
                    entry.downloads(),
                    entry.downloadBytes(),
                    place.map(Path::toString).orElse(null));
        }
    }

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        List<Entry> entries = name == null
                ? DatasetCatalog.entries()
                : List.of(WrongUsage.unless(spec, () -> Settings.dataset(name)));
        if (json) {
            List<Listed> listed = entries.stream()
                    .map(entry -> Listed.of(entry, DatasetCatalog.locate(entry, dataDir)))
                    .toList();
            Json.print(out, name == null ? listed : listed.getFirst());
        } else if (name == null) {
            table(out, entries);
        } else {
            details(out, entries.getFirst());
        }
        return Main.DONE;
    }

    private void table(PrintWriter out, List<Entry> entries) {
        Table table = new Table(
                Align.LEFT, Align.RIGHT, Align.RIGHT, Align.RIGHT, Align.RIGHT, Align.RIGHT, Align.LEFT, Align.LEFT);
        table.row("name", "classes", "train", "eval", "size", "fetch", "here", "shows")
                .rule();
        for (Entry entry : entries) {
            table.row(
                    entry.name(),
                    entry.classes() == 0 ? "" : entry.classes(),
                    entry.trainCount() == 0 ? "" : entry.trainCount(),
                    entry.evalCount() == 0 ? "" : entry.evalCount(),
                    entry.imageSize(),
                    entry.downloads().isEmpty() ? "" : Math.max(1, Math.round(entry.downloadBytes() / 1e6)) + " MB",
                    !entry.inDataFolder()
                                    || DatasetCatalog.locate(entry, dataDir).isPresent()
                            ? "yes"
                            : "no",
                    entry.description());
        }
        table.print(out);
        out.println();
        out.println("'velu data fetch NAME' brings one here, 'velu data list NAME' says more of it.");
        out.println("Files are looked for in " + DataFolder.orStandard(dataDir) + " (--data-dir).");
    }

    private void details(PrintWriter out, Entry entry) {
        out.println(entry.name());
        Table table = new Table(Align.LEFT, Align.LEFT, Align.LEFT);
        table.row("  ", "title", entry.title());
        table.row("  ", "shows", entry.description());
        table.row("  ", "classes", entry.classes() == 0 ? "one per folder" : classes(entry));
        if (entry.trainCount() > 0) {
            table.row("  ", "images", entry.trainCount() + " to train, " + entry.evalCount() + " to evaluate");
        }
        table.row("  ", "size", entry.imageSize() + " pixels unless --size says otherwise");
        table.row("  ", "mean", Arrays.toString(entry.normalization().mean()));
        table.row("  ", "std", Arrays.toString(entry.normalization().std()));
        table.row("  ", "flip", entry.horizontalFlip() ? "keeps the class" : "changes the class");
        table.row("  ", "source", entry.source());
        table.row("  ", "licence", entry.licence());
        table.row("  ", "files", entry.files());
        for (RemoteFile file : entry.downloads()) {
            String digest = file.digest() == null
                    ? ""
                    : ", " + file.digest().algorithm() + " " + file.digest().hex();
            table.row("  ", "fetch", file.name() + ", " + FetchDisplay.megabytes(file.bytes()) + digest);
            for (URI address : file.addresses()) {
                table.row("  ", "", "  " + address);
            }
        }
        if (entry.inDataFolder()) {
            table.row(
                    "  ",
                    "here",
                    DatasetCatalog.locate(entry, dataDir).map(Path::toString).orElse("no"));
        }
        table.print(out);
    }

    private static String classes(Entry entry) {
        boolean few = !entry.classNames().isEmpty() && entry.classes() <= 10;
        return entry.classes() + (few ? ": " + entry.classNames().stream().collect(Collectors.joining(", ")) : "");
    }
}
