package dev.velu.graph;

import dev.velu.nn.Parameter;
import dev.velu.tensor.TensorType;

/** A tensor of a graph: it has a type, and memory only once a {@link Plan} is made. */
public final class Value {
    /** Where a value's memory comes from. */
    public enum Storage {
        /** Written by the caller before a run; kept between runs. */
        INPUT,
        /** A slice of the flat buffer of parameters or buffers. */
        PARAMETER,
        /** A slice of the flat buffer of gradients. */
        GRADIENT,
        /** Computed from parameters alone by {@link Plan#refresh}; kept between runs. */
        CONSTANT,
        /** Laid out by the planner; valid only inside a run. */
        TEMPORARY,
        /** Read by the caller after a run; kept until the next one. */
        RESULT
    }

    private final int id;
    private final TensorType type;
    private Storage storage;
    private String name;
    private Parameter parameter;
    private Node producer;

    Value(int id, TensorType type, Storage storage, String name, Parameter parameter) {
        this.id = id;
        this.type = type;
        this.storage = storage;
        this.name = name;
        this.parameter = parameter;
    }

    /** Its number in the graph, from 0 in the order of recording. */
    public int id() {
        return id;
    }

    /** Element type and shape. */
    public TensorType type() {
        return type;
    }

    /** Where its memory comes from. */
    public Storage storage() {
        return storage;
    }

    /** Name of an input, parameter or result; null for a temporary. */
    public String name() {
        return name;
    }

    /** The parameter or buffer this value is, or whose gradient it is; null for others. */
    public Parameter parameter() {
        return parameter;
    }

    /** The node that computes this value, or null. */
    public Node producer() {
        return producer;
    }

    void producedBy(Node node) {
        producer = node;
    }

    void store(Storage newStorage, String newName, Parameter newParameter) {
        if (storage != Storage.TEMPORARY) {
            throw new IllegalStateException(this + " is already stored as " + storage);
        }
        storage = newStorage;
        name = newName;
        parameter = newParameter;
    }

    @Override
    public String toString() {
        return "%" + id + (name == null ? "" : " " + name) + " " + type;
    }
}
