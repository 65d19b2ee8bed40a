package dev.velu.graph;

/** The part of a training step that an operation belongs to. An inference plan is all {@link #FORWARD}. */
public enum Phase {
    /** From the inputs to the loss. */
    FORWARD,
    /** From the loss to the gradients. */
    BACKWARD,
    /** The update of the parameters. */
    OPTIMIZER
}
