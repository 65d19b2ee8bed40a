package dev.velu.trainer.run;

import java.io.PrintStream;
import java.time.Duration;
import java.util.Locale;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** Tells a person on stderr how training goes: a bar on a terminal, plain lines otherwise. */
public final class ProgressDisplay implements AutoCloseable {
    private static final Duration PLAIN_INTERVAL = Duration.ofSeconds(10);
    private static final int BAR_UPDATE_MILLIS = 200;

    private final PrintStream err;
    private final boolean terminal;
    private ProgressBar bar;
    private String title;
    private long total;
    private int batch;
    private long startNanos;
    private long lastNanos;

    /** @param terminal whether a bar can be drawn */
    public ProgressDisplay(PrintStream err, boolean terminal) {
        this.err = err;
        this.terminal = terminal;
    }

    /** A line of its own. */
    public void line(String text) {
        finish();
        err.println(text);
    }

    /** Begins a phase of steps of one batch each. */
    void begin(String phase, long firstStep, long steps, int batchSize) {
        finish();
        title = phase;
        total = steps;
        batch = batchSize;
        startNanos = System.nanoTime();
        lastNanos = startNanos;
        if (terminal) {
            bar = bar(firstStep);
        }
    }

    private ProgressBar bar(long firstStep) {
        return new ProgressBarBuilder()
                .setTaskName(title)
                .setInitialMax(total)
                .startsFrom(firstStep, Duration.ofNanos(System.nanoTime() - startNanos))
                .setStyle(ProgressBarStyle.ASCII)
                .setUpdateIntervalMillis(BAR_UPDATE_MILLIS)
                .continuousUpdate()
                .clearDisplayOnFinish()
                .build();
    }

    /**
     * Shows a step. Cheap enough to be called at every one: it formats only when it is time to.
     *
     * @param done steps done of the phase
     * @param doneHere of them in this process
     */
    void step(long done, long doneHere, double loss, double top1) {
        long now = System.nanoTime();
        long interval = terminal ? BAR_UPDATE_MILLIS * 1_000_000L : PLAIN_INTERVAL.toNanos();
        if (now - lastNanos < interval) {
            return;
        }
        lastNanos = now;
        double rate = doneHere * (double) batch / ((now - startNanos) * 1e-9);
        String text = String.format(Locale.ROOT, "%.0f images/s, loss %.3f, top-1 %.1f %%", rate, loss, 100 * top1);
        if (terminal) {
            if (bar == null) { // a line of its own was printed meanwhile
                bar = bar(done);
            }
            bar.stepTo(done);
            bar.setExtraMessage(text);
        } else {
            long remaining = Math.round((total - done) * batch / rate);
            err.println(title + ": step " + done + "/" + total + ", " + text + ", " + remaining + " s left");
        }
    }

    private void finish() {
        if (bar != null) {
            bar.close();
            bar = null;
        }
    }

    @Override
    public void close() {
        finish();
    }
}
