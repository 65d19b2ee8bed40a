package dev.velu.trainer.cli;

import dev.velu.trainer.data.DataFolder;
import dev.velu.trainer.data.DatasetCatalog.Entry;
import dev.velu.trainer.data.DatasetFormat;
import dev.velu.trainer.fetch.DatasetFetch;
import dev.velu.trainer.fetch.FetchException;
import dev.velu.trainer.fetch.FetchOptions;
import java.io.IOException;
import java.io.PrintWriter;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code velu data fetch}. */
@Command(
        name = "fetch",
        sortOptions = false,
        description = {
            "Downloads data sets, checks and unpacks them.",
            "What is there already is kept; a download that broke off goes on where it stopped."
        },
        parameterListHeading = "%nArguments%n",
        optionListHeading = "%nOptions%n",
        footerHeading = "%nExamples%n",
        footer = {
            "  velu data fetch cifar10",
            "  velu data fetch mnist fashion_mnist --data-dir data",
            "  velu data fetch stl10 --mirror http://files.example.org/datasets",
            "",
            "Behind a proxy set VELU_JAVA_OPTS='-Dhttps.proxyHost=HOST -Dhttps.proxyPort=PORT', and http.proxyHost and http.proxyPort likewise: some addresses are without TLS."
        })
final class DataFetchCommand implements Callable<Integer> {
    @Parameters(arity = "1..*", paramLabel = "NAME", description = "Names of 'velu data list'.")
    List<String> names;

    @Option(
            names = "--data-dir",
            paramLabel = "DIR",
            description = "Where to put them, each in a folder of its name (default: $VELU_DATA_DIR, else"
                    + " ~/.cache/velu/data).")
    Path dataDir;

    @Option(names = "--force", description = "Fetch again what is there already.")
    boolean force;

    @Option(
            names = "--mirror",
            paramLabel = "URL",
            description = "Ask for URL/NAME/FILE first, before the published addresses.")
    String mirror;

    @Spec
    CommandSpec spec;

    @Override
    public Integer call() throws InterruptedException {
        List<Entry> entries = new ArrayList<>();
        for (String name : new LinkedHashSet<>(names)) {
            Entry entry = WrongUsage.unless(spec, () -> Settings.dataset(name));
            if (entry.format() == DatasetFormat.OWN_FOLDERS) {
                throw new ParameterException(
                        spec.commandLine(),
                        "data set '" + name + "' is your own and not to be fetched; give a name of 'velu data list'");
            }
            entries.add(entry);
        }
        FetchOptions options = mirror == null
                ? FetchOptions.defaults()
                : WrongUsage.unless(spec, () -> FetchOptions.defaults().withMirror(URI.create(mirror)));
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        DatasetFetch fetch =
                new DatasetFetch(DataFolder.orStandard(dataDir), options, new FetchDisplay(err, Terminal.onStderr()));
        int status = Main.DONE;
        for (Entry entry : entries) {
            try {
                out.println(line(entry, fetch));
                // The next one may fail, which has nothing to do with this one.
            } catch (FetchException | IOException e) {
                err.println("velu: " + FailureMessage.of(e));
                status = Main.FAILED;
            }
        }
        return status;
    }

    private String line(Entry entry, DatasetFetch fetch) throws IOException, InterruptedException {
        if (entry.format() == DatasetFormat.DRAWN) {
            return entry.name() + " is " + entry.source() + ": there is nothing to fetch";
        }
        DatasetFetch.Result result = fetch.fetch(entry, force);
        return result.fetched()
                ? entry.name() + ": " + result.trainCount() + " images to train and " + result.evalCount()
                        + " to evaluate in " + result.place()
                : entry.name() + " is there already, in " + result.place() + " (--force fetches it again)";
    }
}
