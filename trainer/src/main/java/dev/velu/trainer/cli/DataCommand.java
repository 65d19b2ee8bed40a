package dev.velu.trainer.cli;

import dev.velu.trainer.cli.Table.Align;
import dev.velu.trainer.data.DatasetCatalog;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code velu data}. */
@Command(
        name = "data",
        sortOptions = false,
        description = "Shows the data sets that can be trained on.",
        synopsisSubcommandLabel = "COMMAND",
        optionListHeading = "%nOptions%n",
        commandListHeading = "%nCommands%n",
        footerHeading = "%nExamples%n",
        footer = {"  velu data list", "  velu data list --json"},
        subcommands = DataCommand.ListCommand.class)
final class DataCommand implements Callable<Integer> {
    @Spec
    CommandSpec spec;

    @Override
    public Integer call() {
        throw new ParameterException(spec.commandLine(), "no command given; use 'velu data list'");
    }

    /** {@code velu data list}. */
    @Command(
            name = "list",
            sortOptions = false,
            description = "Lists the data sets: what to give as --data, and where their files are expected.",
            optionListHeading = "%nOptions%n",
            footerHeading = "%nExamples%n",
            footer = {"  velu data list", "  velu data list --json"})
    static final class ListCommand implements Callable<Integer> {
        @Option(names = "--json", description = "Print JSON.")
        boolean json;

        @Spec
        CommandSpec spec;

        @Override
        public Integer call() {
            PrintWriter out = spec.commandLine().getOut();
            if (json) {
                Json.print(out, DatasetCatalog.entries());
                return Main.DONE;
            }
            for (DatasetCatalog.Entry entry : DatasetCatalog.entries()) {
                out.println(entry.name());
                Table table = new Table(Align.LEFT, Align.LEFT, Align.LEFT);
                table.row("  ", "shows", entry.description());
                table.row("  ", "classes", entry.classes() == 0 ? "one per folder" : entry.classes());
                table.row("  ", "size", entry.imageSize() + " pixels unless --size says otherwise");
                table.row("  ", "files", entry.files());
                table.row("  ", "source", entry.source());
                table.row("  ", "licence", entry.licence());
                table.print(out);
                out.println();
            }
            return Main.DONE;
        }
    }
}
