package dev.velu.trainer.cli;

import dev.velu.device.Context;
import dev.velu.device.Device;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** What a command without a {@link dev.velu.trainer.run.RunConfiguration} of its own runs on. */
final class DeviceOptions {
    @Option(
            names = "--device",
            paramLabel = "D",
            description = "auto, cpu, cuda or cuda:INDEX (default: ${DEFAULT-VALUE}).")
    String device = "auto";

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "CPU threads of the operations; 0 for all processors (default: ${DEFAULT-VALUE}).")
    int threads;

    /** The device, once both options are known to be in range; otherwise wrong usage. */
    Device device(CommandSpec spec) {
        if (threads < 0 || threads > Context.MAX_THREADS) {
            throw new ParameterException(
                    spec.commandLine(),
                    "threads " + threads + " is outside 0.." + Context.MAX_THREADS + "; 0 uses all processors");
        }
        return WrongUsage.unless(spec, () -> Device.parse(device));
    }
}
