package dev.velu.trainer.bench;

import dev.velu.trainer.peer.Contender;

/** Work of this process, timed run by run. */
record Stopwatch(String name, Runnable work) implements Contender {
    @Override
    public double[] run(int count) {
        double[] milliseconds = new double[count];
        for (int i = 0; i < count; i++) {
            long begin = System.nanoTime();
            work.run();
            milliseconds[i] = (System.nanoTime() - begin) / 1e6;
        }
        return milliseconds;
    }
}
