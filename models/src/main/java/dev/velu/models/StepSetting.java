package dev.velu.models;

import dev.velu.graph.Plan;
import dev.velu.optim.Optimizer;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * A few numbers in device memory that every step sets before it runs.
 *
 * @param device where they are
 * @param writer gives them
 */
record StepSetting(MemorySegment device, Writer writer) {
    /** Gives the numbers of one step. */
    interface Writer {
        /** @param host as long as the device memory */
        void write(long step, float learningRate, MemorySegment host);
    }

    /**
     * The settings of every plan: the number of the step where anything draws from it, and the learning rates.
     *
     * @param optimizer null for inference
     */
    static List<StepSetting> of(Plan plan, Optimizer optimizer) {
        List<StepSetting> settings = new ArrayList<>();
        if (plan.hasInput(Network.STEP)) {
            settings.add(new StepSetting(
                    plan.input(Network.STEP), (step, rate, host) -> host.set(ValueLayout.JAVA_LONG, 0, step)));
        }
        if (optimizer != null) {
            settings.add(new StepSetting(
                    optimizer.learningRate(), (step, rate, host) -> optimizer.writeLearningRates(rate, host)));
        }
        return settings;
    }
}
