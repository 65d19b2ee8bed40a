package dev.velu.trainer.cli;

import dev.velu.models.NetworkSpec;
import dev.velu.trainer.run.RunConfiguration;
import java.util.Map;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** Which network a benchmark runs, at which size. */
final class BenchedNetworkOptions {
    @ArgGroup(validate = false, heading = "%nNetwork%n")
    NetworkOptions network = new NetworkOptions();

    @ArgGroup(validate = false, heading = "%nConstants of VeLU%n")
    VeluOptions velu = new VeluOptions();

    @Option(names = "--classes", paramLabel = "N", description = "Classes (default: ${DEFAULT-VALUE}).")
    int classes = 1000;

    @Option(
            names = "--size",
            paramLabel = "PX",
            description = "Height and width of the images (default: ${DEFAULT-VALUE}).")
    int size = 224;

    /**
     * The settings of a run with this network.
     *
     * @param others settings that the command gives itself, by name
     * @throws picocli.CommandLine.ParameterException if a value is outside its range
     */
    RunConfiguration settings(CommandSpec spec, Map<String, Object> others) {
        return WrongUsage.unless(
                spec,
                () -> Settings.apply(spec.commandLine().getParseResult(), RunConfiguration.defaults())
                        .with(others));
    }

    /** @throws picocli.CommandLine.ParameterException if there is no such network at this size */
    NetworkSpec spec(CommandSpec spec, RunConfiguration settings) {
        return WrongUsage.unless(spec, () -> settings.network(classes, size));
    }
}
