package dev.velu.trainer.cli;

import dev.velu.trainer.run.ProgressDisplay;

/** Where a person watches. */
final class Terminal {
    /** Java can tell whether stdin and stdout are a terminal, but not stderr; the launcher can. */
    private static final String STDERR_IS_TERMINAL = "velu.stderr.terminal";

    private Terminal() {}

    /** Progress on stderr: a bar if that is a terminal. */
    static ProgressDisplay progress() {
        return new ProgressDisplay(System.err, Boolean.getBoolean(STDERR_IS_TERMINAL));
    }
}
