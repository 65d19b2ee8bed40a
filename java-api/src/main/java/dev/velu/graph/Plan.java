package dev.velu.graph;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.RecordedGraph;
import dev.velu.device.VeluException;
import dev.velu.nn.Parameters;
import dev.velu.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * A graph with memory, ready to run: a flat array of bound native calls over one arena that was laid out in advance. A run
 * allocates nothing, on neither side of the language border.
 *
 * <p>On CUDA the first run makes the calls one by one, so that all implementations are chosen; the second records them into a
 * graph, and from then on a run is one native call that launches it. {@code -Dvelu.cuda.graphs=false} keeps to single calls,
 * for debugging and profiling.
 *
 * <p>Used by one thread at a time, the one that uses its context. Its memory belongs to the context.
 */
public final class Plan implements AutoCloseable {
    /**
     * What a plan needs on the device, in bytes, apart from parameters, gradients and optimizer state.
     *
     * @param constants what is computed from parameters alone, see {@link Packing}
     */
    public record Memory(long temporaries, long constants, long inputs, long results) {
        /** All of it, in bytes. */
        public long total() {
            return temporaries + constants + inputs + results;
        }
    }

    private final Context context;
    private final Arena arena = Arena.ofShared();
    private final List<PlannedCall> planned = new ArrayList<>();
    private final Map<String, MemorySegment> inputs = new LinkedHashMap<>();
    private final Map<String, Slice> results = new LinkedHashMap<>();
    private final MemorySegment resultMemory;
    private final List<MemorySegment> owned = new ArrayList<>();
    private final boolean records;
    private final List<Preparation> preparations = new ArrayList<>();
    private NativeCall[] calls = {};
    private final Extent whole = new Extent();
    private final Extent part = new Extent();
    /** Lifetimes of the memory the calls use: a recorded graph does not notice that memory is gone. */
    private MemorySegment.Scope[] scopesOfMemory = {};

    private boolean refreshed;
    private boolean closed;

    /** The calls of one kind of run: the first so many. */
    private static final class Extent {
        int calls;
        boolean ran;
        RecordedGraph recorded;

        /** Forgets what was recorded. */
        void reset() {
            ran = false;
            if (recorded != null) {
                recorded.close();
                recorded = null;
            }
        }
    }

    private record Slice(long offset, long bytes) {}

    /** A call that {@link #refresh} makes. */
    private record Preparation(NativeCall call, PlannedCall planned) {}

    private Plan(Context context, long resultBytes) {
        this.context = context;
        this.records = context.device().kind() == Device.Kind.CUDA
                && !"false".equalsIgnoreCase(System.getProperty("velu.cuda.graphs"));
        this.resultMemory = own(Math.max(MemoryPlanner.ALIGNMENT, resultBytes));
    }

    /** The memory a plan of this graph would need, without making it. */
    public static Memory memory(Graph graph) {
        return new Memory(
                MemoryPlanner.plan(graph.nodes()).bytes(),
                alignedBytes(constants(graph)),
                alignedBytes(graph.inputs()),
                alignedBytes(graph.results()));
    }

    /**
     * Chooses the implementation of every operation and grows the context's scratch memory to the need of the largest.
     *
     * @return bytes of scratch memory the context then holds
     */
    public static long prepare(Graph graph, Context context) {
        return prepare(graph, MemoryPlanner.plan(graph.nodes()), context);
    }

    private static long prepare(Graph graph, MemoryPlanner.Layout layout, Context context) {
        for (Node node : graph.nodes()) {
            node.operation().prepare(context, layout.types(node.inputs()), layout.types(node.outputs()));
        }
        return context.workspaceBytes();
    }

    /** Makes a plan with an arena of its own. */
    public static Plan of(Graph graph, Parameters parameters, Context context) {
        return of(graph, parameters, context, null);
    }

    /**
     * Makes a plan.
     *
     * @param parameters the parameters of the graph, with memory on the same context
     * @param temporaries device memory for the temporaries, shared with plans that never run at the same time, or null
     * @throws VeluException if memory is exhausted; says how much the plan needs, asked for at last, and is free
     * @throws IllegalArgumentException if temporaries are smaller than the plan's, see {@link #memory}
     */
    public static Plan of(Graph graph, Parameters parameters, Context context, MemorySegment temporaries) {
        MemoryPlanner.Layout layout = MemoryPlanner.plan(graph.nodes());
        Memory need = memory(graph);
        if (temporaries != null && temporaries.byteSize() < need.temporaries()) {
            throw new IllegalArgumentException("the plan needs " + need.temporaries() + " bytes for temporaries; "
                    + temporaries.byteSize() + " are given");
        }
        try {
            prepare(graph, layout, context);
            Plan plan = new Plan(context, need.results());
            try {
                MemorySegment memory =
                        temporaries != null ? temporaries : plan.own(Math.max(MemoryPlanner.ALIGNMENT, layout.bytes()));
                plan.bind(graph, parameters, layout, memory);
                return plan;
            } catch (RuntimeException e) {
                plan.close();
                throw e;
            }
        } catch (VeluException e) {
            throw e.ifOutOfMemory(describe(need));
        }
    }

    private static String describe(Memory need) {
        String packed = need.constants() == 0 ? "" : ", packed parameters " + mebibytes(need.constants());
        return String.format(
                Locale.ROOT,
                "the plan needs %d MiB beside parameters and optimizer state (temporaries %d, inputs %d, results %d%s);"
                        + " use a smaller batch or image size",
                mebibytes(need.total()),
                mebibytes(need.temporaries()),
                mebibytes(need.inputs()),
                mebibytes(need.results()),
                packed);
    }

    private static long mebibytes(long bytes) {
        return Math.ceilDiv(bytes, 1 << 20);
    }

    private void bind(Graph graph, Parameters parameters, MemoryPlanner.Layout layout, MemorySegment temporaries) {
        Map<Value, MemorySegment> memory = new LinkedHashMap<>();
        for (Value input : graph.inputs()) {
            MemorySegment segment = own(Math.max(1, input.type().bytes()));
            memory.put(input, segment);
            inputs.put(input.name(), segment);
        }
        long offset = 0;
        for (Value result : graph.results()) {
            long bytes = result.type().bytes();
            memory.put(result, resultMemory.asSlice(offset, bytes));
            results.put(result.name(), new Slice(offset, bytes));
            offset += MemoryPlanner.align(bytes);
        }
        long constantBytes = alignedBytes(constants(graph));
        MemorySegment constants = constantBytes == 0 ? MemorySegment.NULL : own(constantBytes);
        offset = 0;
        for (Value constant : constants(graph)) {
            long bytes = constant.type().bytes();
            memory.put(constant, constants.asSlice(offset, bytes));
            offset += MemoryPlanner.align(bytes);
        }
        layout.places()
                .forEach((value, place) -> memory.put(
                        value, temporaries.asSlice(place.offset(), place.type().bytes())));
        for (Node node : graph.nodes()) {
            List<TensorType> inputTypes = layout.types(node.inputs());
            List<TensorType> outputTypes = layout.types(node.outputs());
            List<MemorySegment> inputMemory = segments(node.inputs(), parameters, memory);
            List<MemorySegment> outputMemory = segments(node.outputs(), parameters, memory);
            Operation operation = node.operation();
            if (node.isPreparation()) {
                NativeCall call = bind(operation, inputTypes, outputTypes, inputMemory, outputMemory);
                if (call != null) {
                    preparations.add(new Preparation(
                            call, PlannedCall.of(operation, node.scope(), node.phase(), inputTypes, outputTypes)));
                }
            } else {
                append(operation, inputTypes, outputTypes, inputMemory, outputMemory, node.scope(), node.phase());
            }
        }
    }

    /** The values that {@link #refresh} computes. */
    private static List<Value> constants(Graph graph) {
        return graph.nodes().stream()
                .filter(Node::isPreparation)
                .flatMap(node -> node.outputs().stream())
                .filter(Objects::nonNull)
                .toList();
    }

    private static List<MemorySegment> segments(
            List<Value> values, Parameters parameters, Map<Value, MemorySegment> memory) {
        return values.stream()
                .map(value -> {
                    if (value == null) {
                        return MemorySegment.NULL;
                    }
                    return switch (value.storage()) {
                        case PARAMETER -> parameters.segment(value.parameter());
                        case GRADIENT -> parameters.gradient(value.parameter());
                        case INPUT, CONSTANT, TEMPORARY, RESULT -> {
                            MemorySegment segment = memory.get(value);
                            if (segment == null) {
                                throw new IllegalArgumentException(value + " is of another graph than its reader");
                            }
                            yield segment;
                        }
                    };
                })
                .toList();
    }

    /**
     * Adds an operation on memory of the caller's to the end of the plan, e.g. the optimizer's step. Absent operands have a
     * null type and {@link MemorySegment#NULL}. An operation that has nothing to do there adds nothing. What was recorded
     * before is dropped.
     *
     * @param phase the part of the step it belongs to
     * @throws IllegalArgumentException if the types do not fit the operation or the memory does not fit the types
     */
    public void append(
            Operation operation,
            List<TensorType> inputTypes,
            List<TensorType> outputTypes,
            List<MemorySegment> inputMemory,
            List<MemorySegment> outputMemory,
            String scope,
            Phase phase) {
        NativeCall call = bind(operation, inputTypes, outputTypes, inputMemory, outputMemory);
        if (call == null) {
            return;
        }
        calls = Arrays.copyOf(calls, calls.length + 1);
        calls[calls.length - 1] = call;
        planned.add(PlannedCall.of(operation, scope, phase, inputTypes, outputTypes));
        scopesOfMemory = Stream.of(
                        Arrays.stream(scopesOfMemory),
                        inputMemory.stream().map(MemorySegment::scope),
                        outputMemory.stream().map(MemorySegment::scope))
                .flatMap(lifetimes -> lifetimes)
                .distinct()
                .toArray(MemorySegment.Scope[]::new);
        whole.calls = calls.length;
        whole.reset();
        part.reset();
    }

    /**
     * Ends the run of {@link #runPart} behind the operations added so far: what is added later belongs to whole runs only, as the
     * update of the parameters where several batches make one step.
     */
    public void endPart() {
        part.calls = calls.length;
        part.reset();
    }

    private NativeCall bind(
            Operation operation,
            List<TensorType> inputTypes,
            List<TensorType> outputTypes,
            List<MemorySegment> inputMemory,
            List<MemorySegment> outputMemory) {
        List<TensorType> expected = operation.infer(dense(inputTypes));
        if (!expected.equals(dense(outputTypes))) {
            throw new IllegalArgumentException(
                    operation.name() + ": outputs are " + outputTypes + ", expected " + expected);
        }
        return operation.bind(
                new Binding(operation.name(), context, arena, inputTypes, outputTypes, inputMemory, outputMemory));
    }

    private static List<TensorType> dense(List<TensorType> types) {
        List<TensorType> dense = new ArrayList<>();
        types.forEach(type -> dense.add(type == null ? null : type.dense()));
        return dense;
    }

    /**
     * Runs every operation in order. On CUDA it returns when all are under way; see {@link Context}.
     *
     * @throws VeluException if one fails; names the operation and its place in the network
     * @throws IllegalStateException if the plan, its context or memory given to it is closed
     */
    public void run() {
        run(whole);
    }

    /**
     * Runs the operations that were there when {@link #endPart} was called; otherwise as {@link #run()}.
     *
     * @throws IllegalStateException if it was not called, or as {@link #run()}
     */
    public void runPart() {
        run(requirePart());
    }

    private Extent requirePart() {
        if (part.calls == 0) {
            throw new IllegalStateException("the plan has no part to run; say with endPart() where it ends");
        }
        return part;
    }

    private void run(Extent extent) {
        requireOpen();
        refreshOnce();
        if (!records || !extent.ran) {
            makeCalls(extent.calls);
            extent.ran = true;
            return;
        }
        if (extent.recorded == null) {
            extent.recorded = record(extent.calls);
        }
        for (MemorySegment.Scope lifetime : scopesOfMemory) {
            if (!lifetime.isAlive()) {
                throw new IllegalStateException("memory that the plan uses is already released");
            }
        }
        extent.recorded.launch();
    }

    /**
     * Runs every operation in order, call by call also where a run is recorded otherwise, and waits for the last. The results
     * are those of {@link #run()}.
     *
     * @param times takes the time of each call; made by {@link #callTimes} of this plan
     * @throws VeluException if an operation fails; names it and its place in the network
     * @throws IllegalStateException if the plan, its context or memory given to it is closed
     */
    public void run(CallTimes times) {
        run(whole, times);
    }

    /** As {@link #runPart()} and {@link #run(CallTimes)}; calls that are not made take no time. */
    public void runPart(CallTimes times) {
        run(requirePart(), times);
    }

    private void run(Extent extent, CallTimes times) {
        requireOpen();
        if (times.size() != calls.length) {
            throw new IllegalArgumentException("the times are of " + times.size() + " calls, the plan has "
                    + calls.length + "; make them with callTimes() of this plan");
        }
        refreshOnce();
        times.start();
        for (int i = 0; i < calls.length; i++) {
            times.before(i);
            int status = i < extent.calls ? NativeCall.run(calls[i]) : 0;
            times.after(i);
            if (status != 0) {
                fail(planned.get(i), status);
            }
        }
        times.finish();
        extent.ran = true;
    }

    /**
     * Computes anew what depends on parameters alone, see {@link Packing}: to be called when parameters have changed since the
     * first run, which does it by itself.
     *
     * @throws VeluException if an operation fails; names it and its place in the network
     * @throws IllegalStateException if the plan, its context or memory given to it is closed
     */
    public void refresh() {
        requireOpen();
        for (Preparation preparation : preparations) {
            int status = NativeCall.run(preparation.call());
            if (status != 0) {
                fail(preparation.planned(), status);
            }
        }
        refreshed = true;
    }

    private void refreshOnce() {
        if (!refreshed) {
            refresh();
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("this plan is closed");
        }
        context.handle();
    }

    /** Room for the times of the calls that the plan has now. */
    public CallTimes callTimes() {
        return new CallTimes(context, calls.length);
    }

    private void makeCalls(int count) {
        for (int i = 0; i < count; i++) {
            int status = NativeCall.run(calls[i]);
            if (status != 0) {
                fail(planned.get(i), status);
            }
        }
    }

    private RecordedGraph record(int count) {
        try {
            return RecordedGraph.record(context, () -> makeCalls(count));
        } catch (VeluException e) {
            throw new VeluException(
                    e.status(),
                    e.getMessage() + " (while the plan was recorded; -Dvelu.cuda.graphs=false runs it call by call)",
                    e);
        }
    }

    /** Whether runs launch a recorded graph from now on. */
    boolean recorded() {
        return whole.recorded != null;
    }

    private void fail(PlannedCall call, int status) {
        try {
            context.check(status, "velu_" + call.operation());
        } catch (VeluException e) {
            throw call.scope().isEmpty() ? e : e.within(call.scope());
        }
    }

    /** Device memory of an input; write to it before {@link #run}. */
    public MemorySegment input(String name) {
        MemorySegment segment = inputs.get(name);
        if (segment == null) {
            throw new NoSuchElementException("the plan has no input '" + name + "'; it has " + inputs.keySet());
        }
        return segment;
    }

    /** Whether the plan has an input of this name. */
    public boolean hasInput(String name) {
        return inputs.containsKey(name);
    }

    /** Device memory of all results, to be read with one copy after {@link #run}. */
    public MemorySegment resultMemory() {
        return resultMemory;
    }

    /** Offset in bytes of a result in {@link #resultMemory}. */
    public long resultOffset(String name) {
        return slice(name).offset();
    }

    /** Device memory of one result. */
    public MemorySegment result(String name) {
        Slice slice = slice(name);
        return resultMemory.asSlice(slice.offset(), slice.bytes());
    }

    private Slice slice(String name) {
        Slice slice = results.get(name);
        if (slice == null) {
            throw new NoSuchElementException("the plan has no result '" + name + "'; it has " + results.keySet());
        }
        return slice;
    }

    /** The native calls of one run, in order. */
    public List<PlannedCall> calls() {
        return Collections.unmodifiableList(planned);
    }

    /** Number of native calls of one run. */
    public int size() {
        return calls.length;
    }

    private MemorySegment own(long bytes) {
        MemorySegment memory = context.allocate(bytes);
        owned.add(memory);
        return memory;
    }

    private static long alignedBytes(List<Value> values) {
        return values.stream()
                .mapToLong(value -> MemoryPlanner.align(value.type().bytes()))
                .sum();
    }

    /** Releases the plan's memory; shared temporaries stay. Closing twice is allowed. */
    @Override
    public void close() {
        closed = true;
        try {
            whole.reset();
            part.reset();
        } finally {
            owned.forEach(context::free);
            owned.clear();
            if (arena.scope().isAlive()) {
                arena.close();
            }
        }
    }
}
