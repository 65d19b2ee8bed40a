package dev.velu.models;

import dev.velu.graph.PlannedCall;
import java.util.List;

/**
 * Where the time of some training steps went, native call by native call. Times are those of {@link System#nanoTime}.
 *
 * @param calls of each step, in order
 * @param steps recorded one after another
 */
public record StepProfile(List<PlannedCall> calls, List<Step> steps) {
    /** Copies the lists. */
    public StepProfile {
        calls = List.copyOf(calls);
        steps = List.copyOf(steps);
    }

    /**
     * One step.
     *
     * @param begin the caller asked for the batch
     * @param submitted with its batch
     * @param copied the inputs lie on the device, the native calls begin
     * @param computed the native calls are done
     * @param end the caller has read the results
     * @param callBegins of each native call
     * @param callEnds of each native call
     */
    public record Step(
            long begin,
            long submitted,
            long copied,
            long computed,
            long end,
            List<Long> callBegins,
            List<Long> callEnds) {
        /** Copies the lists. */
        public Step {
            callBegins = List.copyOf(callBegins);
            callEnds = List.copyOf(callEnds);
        }

        /** From begin to end. */
        public long nanos() {
            return end - begin;
        }

        /** How long a call took in this step, in nanoseconds. */
        public long callNanos(int call) {
            return callEnds.get(call) - callBegins.get(call);
        }

        /** Time inside native calls. */
        public long nativeNanos() {
            long sum = 0;
            for (int i = 0; i < callBegins.size(); i++) {
                sum += callNanos(i);
            }
            return sum;
        }
    }
}
