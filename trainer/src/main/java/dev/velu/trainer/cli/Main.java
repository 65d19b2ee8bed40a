package dev.velu.trainer.cli;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine;

/**
 * The command line {@code velu}. Exit status: 0 done; 1 failed, with one line on stderr; 2 wrong usage, with one line and a hint
 * on stderr.
 */
public final class Main {
    static final int DONE = 0;
    static final int FAILED = 1;
    static final int WRONG_USAGE = 2;

    /** Columns of what is printed; longer lines are tiring to read, however wide the terminal is. */
    static final int HELP_WIDTH = 100;

    private Main() {}

    /** Runs the command and ends the process with its exit status. */
    public static void main(String[] args) {
        PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
        PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
        int status = run(out, err, args);
        out.flush();
        err.flush();
        System.exit(status);
    }

    /**
     * Runs one command.
     *
     * @param out where results go
     * @param err where messages go
     * @return the exit status
     */
    static int run(PrintWriter out, PrintWriter err, String... args) {
        VeluCommand top = new VeluCommand();
        CommandLine velu = new CommandLine(top);
        velu.setOut(out);
        velu.setErr(err);
        velu.setUsageHelpWidth(Terminal.helpWidth(args));
        // An argument may be the name of an image file that starts with @.
        velu.setExpandAtFiles(false);
        velu.setParameterExceptionHandler((e, arguments) -> {
            err.println(WrongUsage.message(e));
            return WRONG_USAGE;
        });
        velu.setExecutionExceptionHandler((e, command, parsed) -> failed(e, top.verbose, err));
        velu.setExecutionStrategy(parsed -> {
            LogLevel.set(top.verbose);
            return new CommandLine.RunLast().execute(parsed);
        });
        try {
            return velu.execute(args);
        } catch (OutOfMemoryError | StackOverflowError | LinkageError e) {
            return failed(e, top.verbose, err);
        }
    }

    private static int failed(Throwable failure, boolean verbose, PrintWriter err) {
        err.println("velu: " + FailureMessage.of(failure));
        if (verbose) {
            failure.printStackTrace(err);
        }
        return FAILED;
    }
}
