package dev.velu.peers;

import java.util.Map;

/** Work that can be repeated and timed. Used by one thread. */
public interface Work extends AutoCloseable {
    /** Does it once; everything has happened when it returns. */
    void run();

    /**
     * Does it once.
     *
     * @return milliseconds of the part that is of interest; all of it, unless the work says otherwise
     */
    default double time() {
        long begin = System.nanoTime();
        run();
        return (System.nanoTime() - begin) / 1e6;
    }

    /** What the last run gave, by name, to be compared with ours: values that JSON can hold. */
    default Map<String, Object> results() {
        return Map.of();
    }

    @Override
    void close();
}
