package dev.velu.nn;

import dev.velu.device.Context;
import dev.velu.device.Stream;
import dev.velu.device.VeluException;
import dev.velu.op.RandomFill;
import dev.velu.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.function.Predicate;

/**
 * The parameters and buffers of one network, in torchvision's order, and their memory: all trainable values in one flat
 * float32 buffer, their gradients in a second of the same layout, all buffers in a third. Each tensor starts at a multiple of
 * 64 bytes; the padding between them is zero and stays zero under every optimizer.
 *
 * <p>In the flat buffers, those that are trained alike lie together (see {@link #group}), and frozen ones (see {@link #freeze})
 * behind all others, where they have no gradients. Float32 buffers lie before counters.
 *
 * <p>First every tensor is declared, then {@link #allocate} gives them memory.
 */
public final class Parameters {
    private static final long ALIGNMENT = 64;

    private final Map<String, Parameter> byName = new LinkedHashMap<>();
    private Predicate<String> frozen = name -> false;
    private ParameterGroups groups = ParameterGroups.NONE;
    /** Null until it is asked for, and again after a change. */
    private Layout layout;

    private Context context;
    private MemorySegment values;
    private MemorySegment gradients;
    private MemorySegment buffers;

    /** Without any parameter yet. */
    public Parameters() {}

    /**
     * Where everything lies, in bytes.
     *
     * @param trainedBytes of the trainable values that are not frozen
     * @param valueBytes of all trainable values
     * @param statisticBytes of the float32 buffers
     * @param bufferBytes of all buffers
     */
    private record Layout(
            Map<String, Long> offsets,
            List<ParameterRun> runs,
            long trainedBytes,
            long valueBytes,
            long statisticBytes,
            long bufferBytes) {}

    /**
     * Leaves tensors out of training: they get no gradients, and the optimizer does not touch them. To be called before a network
     * is recorded for training on them. Several calls add up.
     *
     * @param names which, by name
     * @throws IllegalStateException after {@link #allocate}
     */
    public void freeze(Predicate<String> names) {
        requireNoMemory("frozen");
        frozen = frozen.or(names);
        layout = null;
    }

    /**
     * Trains some of them with another learning rate or weight decay.
     *
     * @throws IllegalStateException after {@link #allocate}
     */
    public void group(ParameterGroups rules) {
        requireNoMemory("grouped");
        groups = rules;
        layout = null;
    }

    private void requireNoMemory(String what) {
        if (context != null) {
            throw new IllegalStateException(
                    "parameters are " + what + " after they have memory; do it before allocate");
        }
    }

    /** Whether a tensor of this name is left out of training. */
    public boolean isFrozen(String name) {
        return frozen.test(name);
    }

    /** Whether the optimizer updates a tensor: it is trainable and not frozen. */
    public boolean trains(Parameter parameter) {
        return parameter.trainable() && !isFrozen(parameter.name());
    }

    /**
     * Adds a tensor, or returns the one of this name if it was declared before with the same type and role.
     *
     * @throws IllegalArgumentException if the name is taken by a tensor of another type or role
     * @throws IllegalStateException for a new name after {@link #allocate}
     */
    public Parameter declare(Parameter parameter) {
        Parameter known = byName.get(parameter.name());
        if (known != null) {
            requireSame(known, parameter);
            return known;
        }
        if (context != null) {
            throw new IllegalStateException(
                    "parameter " + parameter.name() + " is declared after the parameters have memory");
        }
        byName.put(parameter.name(), parameter);
        layout = null;
        return parameter;
    }

    private Layout layout() {
        if (layout == null) {
            layout = layOut();
        }
        return layout;
    }

    private Layout layOut() {
        Map<ParameterGroups.Rule, List<Parameter>> trained = new LinkedHashMap<>();
        List<Parameter> rest = new ArrayList<>();
        List<Parameter> statistics = new ArrayList<>();
        List<Parameter> counters = new ArrayList<>();
        for (Parameter parameter : byName.values()) {
            if (trains(parameter)) {
                trained.computeIfAbsent(groups.rule(parameter), rule -> new ArrayList<>())
                        .add(parameter);
            } else if (parameter.trainable()) {
                rest.add(parameter);
            } else {
                (parameter.type().dtype() == DType.F32 ? statistics : counters).add(parameter);
            }
        }
        Map<String, Long> offsets = new LinkedHashMap<>();
        List<ParameterRun> runs = new ArrayList<>();
        long end = 0;
        for (Map.Entry<ParameterGroups.Rule, List<Parameter>> alike : trained.entrySet()) {
            long start = end;
            end = place(alike.getValue(), start, offsets);
            ParameterGroups.Rule rule = alike.getKey();
            runs.add(new ParameterRun(
                    start / DType.F32.bytes(),
                    (end - start) / DType.F32.bytes(),
                    rule.learningRateFactor(),
                    rule.weightDecay()));
        }
        long valueBytes = place(rest, end, offsets);
        long statisticBytes = place(statistics, 0, offsets);
        return new Layout(
                offsets, List.copyOf(runs), end, valueBytes, statisticBytes, place(counters, statisticBytes, offsets));
    }

    /** Gives tensors their offsets from a start on; where they end. */
    private static long place(List<Parameter> tensors, long start, Map<String, Long> offsets) {
        long end = start;
        for (Parameter tensor : tensors) {
            offsets.put(tensor.name(), end);
            end += (tensor.type().bytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        }
        return end;
    }

    /** All tensors in the order of declaration. */
    public List<Parameter> all() {
        return Collections.unmodifiableList(new ArrayList<>(byName.values()));
    }

    /**
     * The parameter or buffer of this name.
     *
     * @throws NoSuchElementException if no tensor has this name
     */
    public Parameter get(String name) {
        Parameter parameter = byName.get(name);
        if (parameter == null) {
            throw new NoSuchElementException("no parameter is named " + name);
        }
        return parameter;
    }

    /** Elements of all tensors of a role, without padding. */
    public long count(Parameter.Role role) {
        return byName.values().stream()
                .filter(p -> p.role() == role)
                .mapToLong(p -> p.type().shape().elements())
                .sum();
    }

    /** Elements of the tensors that train, without padding. */
    public long trainedCount() {
        return byName.values().stream()
                .filter(this::trains)
                .mapToLong(p -> p.type().shape().elements())
                .sum();
    }

    /** Bytes of the flat buffer of trainable values, frozen ones included, with padding. */
    public long trainableBytes() {
        return layout().valueBytes();
    }

    /** Bytes of the flat buffer of gradients, and of an optimizer's states: without frozen tensors, with padding. */
    public long trainedBytes() {
        return layout().trainedBytes();
    }

    /** Bytes of the flat buffer of buffers, with padding. */
    public long bufferBytes() {
        return layout().bufferBytes();
    }

    /** The parts of the flat buffer that are trained alike, which cover what trains in order; one without groups. */
    public List<ParameterRun> runs() {
        return layout().runs();
    }

    /**
     * Gives the tensors memory on a context, zeroed. It belongs to the context and is released with it.
     *
     * @param training whether gradients are needed
     * @throws VeluException if memory is exhausted; says how much the parameters need
     */
    public void allocate(Context onContext, boolean training) {
        if (context != null) {
            throw new IllegalStateException("the parameters already have memory");
        }
        try {
            values = onContext.allocate(Math.max(ALIGNMENT, trainableBytes()));
            buffers = onContext.allocate(Math.max(ALIGNMENT, bufferBytes()));
            gradients = training ? onContext.allocate(Math.max(ALIGNMENT, trainedBytes())) : null;
        } catch (VeluException e) {
            long needed = trainableBytes() + bufferBytes() + (training ? trainedBytes() : 0);
            throw e.ifOutOfMemory("the parameters" + (training ? " and their gradients need " : " need ")
                    + Math.ceilDiv(needed, 1 << 20) + " MiB; use a smaller network");
        }
        context = onContext;
    }

    /**
     * Draws the first values of every tensor. Each has a random stream of its own, derived from its name, so a network with
     * another head starts with the same body.
     */
    public void initialize(long seed) {
        for (Parameter parameter : byName.values()) {
            RandomFill.fill(
                    allocatedContext(),
                    segment(parameter),
                    parameter.type(),
                    parameter.initializer(),
                    seed,
                    stream(parameter.name()));
        }
    }

    /**
     * Takes over the values of tensors of the same names, e.g. to go on with others frozen.
     *
     * @param other has memory on the same context
     * @throws IllegalArgumentException if a tensor of the same name has another type or role
     */
    public void copyFrom(Parameters other) {
        for (Parameter parameter : byName.values()) {
            if (other.byName.containsKey(parameter.name())) {
                allocatedContext().copyAsync(other.segment(parameter), segment(parameter), Stream.COMPUTE);
            }
        }
        allocatedContext().synchronize();
    }

    /** FNV-1a, 64 bit. */
    private static long stream(String name) {
        long hash = 0xcbf29ce484222325L;
        for (int i = 0; i < name.length(); i++) {
            hash = (hash ^ name.charAt(i)) * 0x100000001b3L;
        }
        return hash;
    }

    /** The whole flat buffer of trainable values, float32; those that train come first. */
    public MemorySegment values() {
        allocatedContext();
        return values;
    }

    /** The part of {@link #values} that trains, as long as the gradients. */
    public MemorySegment trainedValues() {
        return values().asSlice(0, trainedBytes());
    }

    /** All float32 buffers, which are running statistics: a part of the flat buffer of buffers; empty without any. */
    public MemorySegment statistics() {
        allocatedContext();
        return buffers.asSlice(0, layout().statisticBytes());
    }

    /** The whole flat buffer of gradients, float32, of the tensors that train. */
    public MemorySegment gradients() {
        allocatedContext();
        if (gradients == null) {
            throw new IllegalStateException("the parameters were allocated for inference and have no gradients");
        }
        return gradients;
    }

    /** Number of float32 values in the flat buffers of what trains, with padding. */
    public long flatCount() {
        return trainedBytes() / DType.F32.bytes();
    }

    /**
     * The memory of one tensor.
     *
     * @throws NoSuchElementException if no tensor has this name
     * @throws IllegalArgumentException if the tensor of this name has another type or role
     */
    public MemorySegment segment(Parameter parameter) {
        allocatedContext();
        MemorySegment flat = parameter.trainable() ? values : buffers;
        return flat.asSlice(offset(parameter), parameter.type().bytes());
    }

    /**
     * The memory of the gradient of one tensor.
     *
     * @throws IllegalArgumentException if it does not train
     */
    public MemorySegment gradient(Parameter parameter) {
        if (!trains(parameter)) {
            throw new IllegalArgumentException("parameter " + parameter.name() + " is not trained: it has no gradient");
        }
        return gradients().asSlice(offset(parameter), parameter.type().bytes());
    }

    /** Offset in bytes of a tensor in its flat buffer. */
    public long offset(Parameter parameter) {
        requireSame(get(parameter.name()), parameter);
        return layout().offsets().get(parameter.name());
    }

    private static void requireSame(Parameter known, Parameter parameter) {
        if (!known.type().equals(parameter.type()) || known.role() != parameter.role()) {
            throw new IllegalArgumentException("parameter " + known.name() + " is declared as " + known.role() + " "
                    + known.type() + ", not as " + parameter.role() + " " + parameter.type());
        }
    }

    private Context allocatedContext() {
        if (context == null) {
            throw new IllegalStateException("the parameters have no memory yet; call allocate first");
        }
        return context;
    }
}
