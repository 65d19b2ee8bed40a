package dev.velu.trainer.peer;

import java.util.List;
import java.util.function.Consumer;

/**
 * Contenders timed in turns, so that what the machine does beside them, or how warm it is, falls on all alike.
 *
 * @param count how often everybody has a turn, positive
 */
public record Rounds(int count) {
    /**
     * Checks the number of rounds.
     *
     * @throws IllegalArgumentException if it is not positive
     */
    public Rounds {
        if (count < 1) {
            throw new IllegalArgumentException("number of rounds " + count + " is not positive");
        }
    }

    /**
     * A contender and how often it runs in each of its turns.
     *
     * @param runs positive
     */
    public record Entrant(Contender contender, int runs) {
        /**
         * Checks the number of runs.
         *
         * @throws IllegalArgumentException if it is not positive
         */
        public Entrant {
            if (runs < 1) {
                throw new IllegalArgumentException("number of runs " + runs + " is not positive");
            }
        }

        /**
         * Warms a contender up and lets its turns last about as long as asked.
         *
         * @param warmup runs before the first turn, positive: the last one says how long a run takes
         * @param milliseconds of a turn
         * @param leastRuns runs in a turn however long they take
         */
        public static Entrant lasting(Contender contender, int warmup, double milliseconds, int leastRuns) {
            double[] times = contender.run(warmup);
            double runs = Math.rint(milliseconds / Math.max(times[times.length - 1], 1e-6));
            return new Entrant(contender, (int) Math.clamp(runs, leastRuns, 1e6));
        }
    }

    /**
     * Gives everybody a turn, again and again.
     *
     * @param progress is told the number of every round that is done, from 1
     * @return for each entrant what it took
     */
    public List<Timings> play(List<Entrant> entrants, Consumer<Integer> progress) {
        List<Timings> timings = entrants.stream().map(entrant -> new Timings()).toList();
        for (int round = 0; round < count; round++) {
            for (int i = 0; i < entrants.size(); i++) {
                Entrant entrant = entrants.get(i);
                timings.get(i).add(entrant.contender().run(entrant.runs()));
            }
            progress.accept(round + 1);
        }
        return timings;
    }
}
