package dev.velu.trainer.cli;

import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** Whether training steps are timed call by call. */
final class ProfileOptions {
    @Option(
            names = "--profile",
            paramLabel = "STEPS",
            arity = "0..1",
            fallbackValue = "10",
            description = "Time each native call of some steps after the first ones, and show where the time goes by"
                    + " operation and layer, beside what the device can do (steps: ${FALLBACK-VALUE}).")
    Integer steps;

    /**
     * Steps to record; 0 for none.
     *
     * @throws ParameterException if the number is not positive
     */
    int steps(CommandSpec spec) {
        if (steps != null && steps < 1) {
            throw new ParameterException(
                    spec.commandLine(), "--profile " + steps + " is not positive; give a number of steps");
        }
        return steps == null ? 0 : steps;
    }
}
