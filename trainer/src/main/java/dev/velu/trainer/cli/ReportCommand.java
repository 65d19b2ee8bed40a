package dev.velu.trainer.cli;

import dev.velu.trainer.compare.Comparison;
import dev.velu.trainer.report.ComparisonReport;
import dev.velu.trainer.report.RunReport;
import dev.velu.trainer.run.RunException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code velu report}. */
@Command(
        name = "report",
        sortOptions = false,
        description = {
            "Writes the report of a training run or of a comparison again.",
            "report.html is made from the files in the folder: one file with curves, tables and images that"
                    + " opens in any browser, without a network. 'velu train' and 'velu compare' write it by themselves."
        },
        optionListHeading = "%nOptions%n",
        parameterListHeading = "%nArguments%n",
        footerHeading = "%nExamples%n",
        footer = {"  velu report runs/digits", "  velu report runs/comparison --output comparison.html"})
final class ReportCommand implements Callable<Integer> {
    @Parameters(paramLabel = "DIR", description = "Folder of a run or of a comparison, the --output of its command.")
    Path folder;

    @Option(
            names = "--output",
            paramLabel = "FILE",
            description = "Where to write the page (default: report.html in the folder).")
    Path output;

    @Spec
    CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        if (!Files.isDirectory(folder)) {
            throw new RunException(folder + " is not a folder; give the --output of a velu train or a velu compare");
        }
        Path page = output != null ? output : folder.resolve(RunReport.FILE);
        if (Comparison.isComparison(folder)) {
            ComparisonReport.write(Comparison.read(folder), page);
        } else {
            RunReport.write(folder, page);
        }
        spec.commandLine().getOut().println("wrote " + page);
        return Main.DONE;
    }
}
