package dev.velu.graph;

/** The gradients known so far while a graph is differentiated. */
public interface Gradients {
    /** Gradient of the loss with respect to a value, or null if the loss does not depend on it as far as known. */
    Value of(Value value);

    /** Whether the gradient of a value is needed: it is a parameter or computed from one. False for null. */
    boolean wanted(Value value);

    /**
     * The gradient of a value as far as known, or null, which is then forgotten: for an operation that adds it to its own
     * contribution as it computes that, and gives {@link #add} the sum.
     */
    Value take(Value value);

    /** Adds a contribution to the gradient of a value. */
    void add(Value value, Value contribution);

    /** The graph to which an operation's gradient operations are added. */
    Graph graph();
}
