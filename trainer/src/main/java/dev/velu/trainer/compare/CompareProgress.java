package dev.velu.trainer.compare;

import java.io.PrintStream;
import java.time.Duration;
import java.util.Locale;
import java.util.regex.Pattern;

/** Tells a person on stderr how a comparison goes: the overall state when a cell begins and ends, and what the cell says between. */
public final class CompareProgress {
    /** Lines that the next one of their kind makes obsolete. */
    private static final Pattern STEP =
            Pattern.compile("(epoch \\d+/\\d+|evaluation|evaluating).*: step \\d+/\\d+, .*");

    private static final String ERASE = "\r\u001b[K";

    private final PrintStream err;
    private final boolean terminal;
    private int cells;
    private int done;
    private boolean transientLine;

    /** @param terminal whether a line can be written over */
    public CompareProgress(PrintStream err, boolean terminal) {
        this.err = err;
        this.terminal = terminal;
    }

    void begin(int all, int finished) {
        cells = all;
        done = finished;
        print(cells + " cells" + (finished > 0 ? ", " + finished + " of them finished before" : ""));
    }

    void cell(Cell cell, boolean resume) {
        print("cell " + (done + 1) + "/" + cells + ": " + cell.id() + (resume ? ", going on from its checkpoint" : ""));
    }

    /** Something that the cell says. */
    void line(String text) {
        String shown = "  " + text;
        if (terminal && STEP.matcher(text).matches()) {
            err.print(ERASE + shown);
            err.flush();
            transientLine = true;
        } else {
            print(shown);
        }
    }

    /** @param remaining seconds for the cells that are left; negative if unknown */
    void end(CellResult result, double remaining) {
        done++;
        String what = switch (result.status()) {
            case OK ->
                String.format(
                        Locale.ROOT,
                        "finished: eval top-1 %.2f %% (best %.2f %% in epoch %d), %s",
                        100 * result.last().evalTop1(),
                        100 * result.best().evalTop1(),
                        result.best().epoch(),
                        duration(result.seconds()));
            case FAILED -> "failed: " + result.error();
            case INTERRUPTED -> "interrupted after " + result.epochs() + " epochs";
        };
        boolean more = remaining >= 0 && done < cells;
        print("cell " + done + "/" + cells + ": " + result.cell() + " " + what
                + (more ? "; about " + duration(remaining) + " left for the others" : ""));
    }

    void stopped(Comparison comparison) {
        print("stopped with " + comparison.finished() + " of " + cells
                + " cells finished; go on with: velu compare --resume" + " --output " + comparison.folder());
    }

    private void print(String text) {
        if (transientLine) {
            err.print(ERASE);
            transientLine = false;
        }
        err.println(text);
    }

    /** E.g. {@code 2 h 05 min}, {@code 3 min 20 s}, {@code 12 s}. */
    public static String duration(double seconds) {
        Duration time = Duration.ofSeconds(Math.max(0, Math.round(seconds)));
        if (time.toHours() > 0) {
            return String.format(Locale.ROOT, "%d h %02d min", time.toHours(), time.toMinutesPart());
        }
        if (time.toMinutes() > 0) {
            return String.format(Locale.ROOT, "%d min %02d s", time.toMinutes(), time.toSecondsPart());
        }
        return time.toSeconds() + " s";
    }
}
