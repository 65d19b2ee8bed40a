package dev.velu.trainer.cli;

import dev.velu.trainer.fetch.FetchListener;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** Tells a person how a fetch goes: a bar on a terminal, plain lines otherwise. */
final class FetchDisplay implements FetchListener {
    private static final Duration PLAIN_INTERVAL = Duration.ofSeconds(10);
    private static final int BAR_UPDATE_MILLIS = 200;
    private static final double MEGA = 1e6;

    private final PrintWriter err;
    private final boolean terminal;
    private ProgressBar bar;
    private String title;
    private long total;
    private long start;
    private long startNanos;
    private long lastNanos;

    /** @param terminal whether a bar can be drawn */
    FetchDisplay(PrintWriter err, boolean terminal) {
        this.err = err;
        this.terminal = terminal;
    }

    @Override
    public void begin(String what, long done, long all) {
        end();
        title = what;
        total = all;
        start = done;
        startNanos = System.nanoTime();
        lastNanos = startNanos;
        if (terminal) {
            bar = new ProgressBarBuilder()
                    .setTaskName(what)
                    .setInitialMax(all > 0 ? all : -1)
                    .startsFrom(done, Duration.ZERO)
                    .setUnit(" MB", (long) MEGA)
                    .showSpeed()
                    .setStyle(ProgressBarStyle.ASCII)
                    .setUpdateIntervalMillis(BAR_UPDATE_MILLIS)
                    .continuousUpdate()
                    .build();
        } else {
            err.println(what
                    + (all > 0 ? ": " + megabytes(all) : "")
                    + (done > 0 ? ", " + megabytes(done) + " are there" : ""));
        }
    }

    @Override
    public void progress(long done) {
        if (bar != null) {
            bar.stepTo(done);
            return;
        }
        long now = System.nanoTime();
        if (now - lastNanos < PLAIN_INTERVAL.toNanos()) {
            return;
        }
        lastNanos = now;
        double rate = (done - start) / ((now - startNanos) * 1e-9);
        String left = total > done && rate > 0 ? ", " + Math.round((total - done) / rate) + " s left" : "";
        err.println(title + ": " + megabytes(done) + ", " + megabytes(rate) + "/s" + left);
    }

    @Override
    public void end() {
        if (bar != null) {
            bar.close();
            bar = null;
        }
    }

    @Override
    public void message(String line) {
        end();
        err.println(FailureMessage.oneLine(line));
    }

    /** Like {@code 170.1 MB}. */
    static String megabytes(double bytes) {
        return String.format(Locale.ROOT, "%.1f MB", bytes / MEGA);
    }
}
