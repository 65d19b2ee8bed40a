package dev.velu.nn;

import dev.velu.device.Context;
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

/**
 * The parameters and buffers of one network, in torchvision's order, and their memory: all trainable values in one flat
 * float32 buffer, all gradients in a second of the same layout, all buffers in a third. Each tensor starts at a multiple of
 * 64 bytes; the padding between them is zero and stays zero under every optimizer.
 *
 * <p>First every tensor is declared, then {@link #allocate} gives them memory.
 */
public final class Parameters {
    private static final long ALIGNMENT = 64;

    private final Map<String, Parameter> byName = new LinkedHashMap<>();
    private final Map<String, Long> offsets = new LinkedHashMap<>();
    private long trainableBytes;
    private long bufferBytes;

    private Context context;
    private MemorySegment values;
    private MemorySegment gradients;
    private MemorySegment buffers;

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
        long bytes = (parameter.type().bytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        if (parameter.trainable()) {
            offsets.put(parameter.name(), trainableBytes);
            trainableBytes += bytes;
        } else {
            offsets.put(parameter.name(), bufferBytes);
            bufferBytes += bytes;
        }
        return parameter;
    }

    /** All tensors in the order of declaration. */
    public List<Parameter> all() {
        return Collections.unmodifiableList(new ArrayList<>(byName.values()));
    }

    /** @throws NoSuchElementException if no tensor has this name */
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

    /** Bytes of the flat buffer of trainable values, with padding. */
    public long trainableBytes() {
        return trainableBytes;
    }

    /** Bytes of the flat buffer of buffers, with padding. */
    public long bufferBytes() {
        return bufferBytes;
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
            values = onContext.allocate(Math.max(ALIGNMENT, trainableBytes));
            buffers = onContext.allocate(Math.max(ALIGNMENT, bufferBytes));
            gradients = training ? onContext.allocate(Math.max(ALIGNMENT, trainableBytes)) : null;
        } catch (VeluException e) {
            long needed = trainableBytes + bufferBytes + (training ? trainableBytes : 0);
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

    /** FNV-1a, 64 bit. */
    private static long stream(String name) {
        long hash = 0xcbf29ce484222325L;
        for (int i = 0; i < name.length(); i++) {
            hash = (hash ^ name.charAt(i)) * 0x100000001b3L;
        }
        return hash;
    }

    /** The whole flat buffer of trainable values, float32. */
    public MemorySegment values() {
        allocatedContext();
        return values;
    }

    /** The whole flat buffer of gradients, float32. */
    public MemorySegment gradients() {
        allocatedContext();
        if (gradients == null) {
            throw new IllegalStateException("the parameters were allocated for inference and have no gradients");
        }
        return gradients;
    }

    /** Number of float32 values in the flat buffers, with padding. */
    public long flatCount() {
        return trainableBytes / DType.F32.bytes();
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

    /** The memory of the gradient of one trainable tensor. */
    public MemorySegment gradient(Parameter parameter) {
        return gradients().asSlice(offset(parameter), parameter.type().bytes());
    }

    /** Offset in bytes of a tensor in its flat buffer. */
    public long offset(Parameter parameter) {
        requireSame(get(parameter.name()), parameter);
        return offsets.get(parameter.name());
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
