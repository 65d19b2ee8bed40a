package dev.velu.trainer.profile;

import dev.velu.trainer.data.DecodeListener;
import java.util.ArrayList;
import java.util.List;

/** Keeps what decode threads did; they may all tell it at once. */
public final class DecodeLog implements DecodeListener {
    /** Far more than steps that are profiled need: a long profile on a fast decoder must not fill memory. */
    private static final int CAPACITY = 1 << 18;

    /**
     * Some images of a batch.
     *
     * @param thread that decoded them
     * @param begin in nanoseconds of {@link System#nanoTime}
     * @param end in nanoseconds of {@link System#nanoTime}
     */
    public record Span(String thread, int epoch, int batch, int images, long begin, long end) {}

    private final List<Span> spans = new ArrayList<>();

    /** A log of nothing yet. */
    public DecodeLog() {}

    @Override
    public void decoded(int epoch, int batch, int images, long begin, long end) {
        Span span = new Span(Thread.currentThread().getName(), epoch, batch, images, begin, end);
        synchronized (spans) {
            if (spans.size() < CAPACITY) {
                spans.add(span);
            }
        }
    }

    /** What was decoded so far, in the order in which it was done. */
    public List<Span> spans() {
        synchronized (spans) {
            return List.copyOf(spans);
        }
    }
}
