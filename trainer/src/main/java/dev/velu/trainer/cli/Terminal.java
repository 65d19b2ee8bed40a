package dev.velu.trainer.cli;

import dev.velu.trainer.run.ProgressDisplay;
import java.util.Set;
import java.util.stream.Stream;
import picocli.CommandLine.Model.UsageMessageSpec;

/** Where a person watches. */
final class Terminal {
    /** Java can tell whether stdin and stdout are a terminal, but not stderr; the launcher can. */
    private static final String STDERR_IS_TERMINAL = "velu.stderr.terminal";

    /** Options and what they do stand side by side, which needs room. */
    private static final int NARROWEST_HELP = 60;

    private static final Set<String> ASKS_FOR_HELP = Set.of("--help", "-h");

    private Terminal() {}

    /**
     * Columns of the help: as many as the terminal has, up to {@link Main#HELP_WIDTH}. The terminal is asked, which starts a
     * process, only if the arguments ask for help.
     */
    static int helpWidth(String... args) {
        if (args.length > 0 && Stream.of(args).noneMatch(ASKS_FOR_HELP::contains)) {
            return Main.HELP_WIDTH;
        }
        int terminal =
                new UsageMessageSpec().width(Main.HELP_WIDTH).autoWidth(true).width();
        return Math.clamp(terminal, NARROWEST_HELP, Main.HELP_WIDTH);
    }

    /** Progress on stderr: a bar if that is a terminal. */
    static ProgressDisplay progress() {
        return new ProgressDisplay(System.err, onStderr());
    }

    /** Whether a line on stderr can be written over. */
    static boolean onStderr() {
        return Boolean.getBoolean(STDERR_IS_TERMINAL);
    }
}
