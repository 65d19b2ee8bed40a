package dev.velu.trainer.run;

import dev.velu.tensor.DType;
import java.lang.foreign.MemorySegment;

/**
 * A piece of what a run resumes from, beside the network.
 *
 * @param name in a checkpoint, after {@code optimizer.}
 * @param dtype of its elements
 * @param memory on the device
 */
record TrainingState(String name, DType dtype, MemorySegment memory) {}
