package dev.velu.trainer.peer;

/** Somebody who does a piece of work as often as asked, ours or a peer. */
public interface Contender extends AutoCloseable {
    /** As in reports, e.g. {@code libtorch 2.7.1}. */
    String name();

    /**
     * Does the work.
     *
     * @param count how often, positive
     * @return milliseconds of each run
     */
    double[] run(int count);

    /** Gives back what it holds; nothing unless an implementation says so. */
    @Override
    default void close() {}
}
