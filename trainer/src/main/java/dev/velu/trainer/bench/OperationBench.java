package dev.velu.trainer.bench;

import dev.velu.device.Context;
import dev.velu.graph.Binding;
import dev.velu.graph.NativeCall;
import dev.velu.graph.Node;
import dev.velu.graph.Operation;
import dev.velu.nn.Initializer;
import dev.velu.op.OptimizerStep;
import dev.velu.op.RandomFill;
import dev.velu.op.VeluParameters;
import dev.velu.optim.GradientClip;
import dev.velu.optim.OptimizerAlgorithm;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import dev.velu.trainer.peer.Comparison;
import dev.velu.trainer.peer.Malloc;
import dev.velu.trainer.peer.PeerException;
import dev.velu.trainer.peer.PeerModule;
import dev.velu.trainer.peer.PeerProcess;
import dev.velu.trainer.peer.Rounds;
import dev.velu.trainer.peer.Rounds.Entrant;
import dev.velu.trainer.peer.Timings;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Operations one by one on the CPU, each on random tensors of its own, beside what libtorch does in their place.
 *
 * <p>Where an operation of ours is fused, libtorch takes several. Where it divides a gradient as we do, into that of the data and
 * that of the weights, each is timed alone.
 */
public final class OperationBench implements AutoCloseable {
    private final Context context;
    private final Rounds rounds;
    private final double turn;
    private final PeerProcess libtorch;

    /**
     * An operation with the shapes that it is applied to.
     *
     * @param calls how often a step has it
     */
    public record Case(Operation operation, List<TensorType> inputs, List<TensorType> outputs, int calls) {
        /** Shapes of the inputs with more than one axis and the attributes that are not as ever, for people. */
        public String shapes() {
            String shapes = Stream.concat(
                            inputs.stream(),
                            operation.name().endsWith("backward_weights") ? outputs.stream() : Stream.of())
                    .filter(Objects::nonNull)
                    .filter(type -> type.shape().rank() > 1 || inputs.indexOf(type) == 0)
                    .distinct()
                    .map(type -> Arrays.stream(type.shape().toArray())
                            .mapToObj(Long::toString)
                            .collect(Collectors.joining("x")))
                    .collect(Collectors.joining(", "));
            Map<String, Object> attributes = Attributes.of(operation).values();
            Object stride = attributes.get("stride_height");
            Object groups = attributes.get("groups");
            Object activation = attributes.get("activation");
            int residual = operation.name().startsWith("batch_norm")
                    ? operation.name().endsWith("backward") ? 4 : 3
                    : operation.name().equals("layer_norm_forward") ? 1 : 0;
            return shapes
                    + (residual == 0 || inputs.get(residual) == null ? "" : ", residual")
                    + (stride == null || stride.equals(1) ? "" : ", stride " + stride)
                    + (groups == null || groups.equals(1) ? "" : ", groups " + groups)
                    + (activation == null ? "" : ", " + activation);
        }

        /** Bytes that the operation reads and writes. */
        public long bytes() {
            return operation.bytes(inputs, outputs);
        }

        /** Of convolutions and matrix products, a multiplication and an addition counted as two; 0 for others. */
        public long flops() {
            return 2 * operation.macs(inputs, outputs);
        }
    }

    /**
     * How long it took.
     *
     * @param libtorch null if it was not asked, or has nothing in its place
     */
    public record Measured(Case operation, Timings ours, Timings libtorch) {
        /** Milliseconds of all calls of a step. */
        public double millisecondsPerStep() {
            return operation.calls() * ours.median();
        }

        /** With libtorch, or null. */
        public Comparison comparison() {
            return libtorch == null
                    ? null
                    : Comparison.milliseconds(
                            operation.operation().name() + " " + operation.shapes() + " vs libtorch", ours, libtorch);
        }
    }

    /**
     * A benchmark of operations.
     *
     * @param context on the CPU
     * @param module where libtorch is; null not to compare with it
     * @param turn milliseconds of a turn, about
     * @throws PeerException if the peer cannot be started; says why
     */
    public OperationBench(Context context, PeerModule module, Rounds rounds, double turn) {
        this.context = context;
        this.rounds = rounds;
        this.turn = turn;
        libtorch = module != null ? PeerProcess.start(module, context.threads(), Malloc.TUNED, List.of()) : null;
    }

    /** Name of the peer with its version; null without one. */
    public String version() {
        return libtorch == null ? null : libtorch.name();
    }

    /** What makes two nodes the same work: neither the seed of a dropout nor its place in the network does. */
    private record Kind(
            String name, Map<String, Object> attributes, List<TensorType> inputs, List<TensorType> outputs) {
        static Kind of(Node node) {
            Map<String, Object> attributes = Attributes.of(node.operation()).values();
            attributes.keySet().removeAll(List.of("seed", "stream"));
            return new Kind(node.operation().name(), attributes, node.inputTypes(), node.outputTypes());
        }
    }

    /** The distinct operations among nodes, in the order of their first use, without those that only arrange memory. */
    public static List<Case> distinct(List<Node> nodes) {
        Map<Kind, List<Node>> kinds = new LinkedHashMap<>();
        for (Node node : nodes) {
            if (node.operation().view() == null) {
                kinds.computeIfAbsent(Kind.of(node), kind -> new ArrayList<>()).add(node);
            }
        }
        return kinds.values().stream()
                .map(same -> new Case(
                        same.getFirst().operation(),
                        same.getFirst().inputTypes(),
                        same.getFirst().outputTypes(),
                        same.size()))
                .toList();
    }

    /** The update of all parameters of a network. */
    public static Case update(OptimizerAlgorithm algorithm, long parameters) {
        TensorType flat = TensorType.f32(parameters);
        return new Case(
                new OptimizerStep(algorithm, GradientClip.NONE),
                Arrays.asList(
                        TensorType.f32(),
                        null,
                        new TensorType(DType.F64, Shape.of(2)),
                        flat,
                        flat,
                        algorithm.states() > 0 ? flat : null,
                        algorithm.states() > 1 ? flat : null),
                List.of(),
                1);
    }

    /** Measures one; null if there is nothing to do in it, as where memory alone is arranged. */
    public Measured measure(Case operation) {
        try (Memory memory = new Memory(operation)) {
            Stopwatch ours = memory.stopwatch();
            if (ours == null) {
                return null;
            }
            List<Entrant> entrants = new ArrayList<>();
            ours.run(2);
            entrants.add(Entrant.lasting(ours, 3, turn, 2));
            if (prepared(operation)) {
                libtorch.run(1);
                entrants.add(Entrant.lasting(libtorch, 2, turn, 2));
            }
            List<Timings> timings = rounds.play(entrants, round -> {});
            return new Measured(operation, timings.get(0), timings.size() == 1 ? null : timings.get(1));
        }
    }

    /** Whether libtorch has something in its place, and is ready. */
    private boolean prepared(Case operation) {
        if (libtorch == null) {
            return false;
        }
        Attributes attributes = Attributes.of(operation.operation());
        Map<String, Object> task = new LinkedHashMap<>();
        task.put("kind", "operation");
        task.put("operation", operation.operation().name());
        task.put("inputs", shapes(operation.inputs()));
        task.put("outputs", shapes(operation.outputs()));
        task.put("attributes", attributes.values());
        if (attributes.velu() != null) {
            task.put("velu", described(attributes.velu()));
        }
        try {
            libtorch.prepare(task);
            return true;
        } catch (PeerException e) {
            if (e.getMessage().contains("has no counterpart")) {
                return false;
            }
            throw e;
        }
    }

    private static List<long[]> shapes(List<TensorType> types) {
        List<long[]> shapes = new ArrayList<>();
        for (TensorType type : types) {
            shapes.add(type == null ? null : type.shape().toArray());
        }
        return shapes;
    }

    /** As {@code dev.velu.peers.VeluConstants}. */
    static Map<String, Object> described(VeluParameters parameters) {
        Map<String, Object> constants = new LinkedHashMap<>();
        constants.put("alpha", parameters.alpha());
        constants.put("beta1", parameters.beta1());
        constants.put("beta2", parameters.beta2());
        constants.put("gamma", parameters.gamma());
        constants.put("mu", parameters.mu());
        constants.put("eps", parameters.eps());
        constants.put("statistic", parameters.statistic() == VeluParameters.Statistic.STD ? "std" : "inverse_rms");
        if (parameters.scale() != null) {
            constants.put("scale_min", parameters.scale().min());
            constants.put("scale_max", parameters.scale().max());
        }
        return constants;
    }

    @Override
    public void close() {
        if (libtorch != null) {
            libtorch.close();
        }
    }

    /** Tensors of one operation, and the call that is bound to them. */
    private final class Memory implements AutoCloseable {
        private final Case operation;
        private final Arena arena = Arena.ofConfined();
        private final List<Tensor> tensors = new ArrayList<>();

        Memory(Case operation) {
            this.operation = operation;
        }

        Stopwatch stopwatch() {
            operation.operation().prepare(context, operation.inputs(), operation.outputs());
            NativeCall call = operation
                    .operation()
                    .bind(new Binding(
                            operation.operation().name(),
                            context,
                            arena,
                            operation.inputs(),
                            operation.outputs(),
                            segments(operation.inputs()),
                            segments(operation.outputs())));
            String function = "velu_" + operation.operation().name();
            return call == null ? null : new Stopwatch(function, () -> context.check(NativeCall.run(call), function));
        }

        private List<MemorySegment> segments(List<TensorType> types) {
            List<MemorySegment> segments = new ArrayList<>();
            for (TensorType type : types) {
                segments.add(
                        type == null ? MemorySegment.NULL : tensor(type.dense()).segment());
            }
            return segments;
        }

        /** Normal numbers; ones in vectors and scalars, which may be standard deviations; labels and positions are 0. */
        private Tensor tensor(TensorType type) {
            Tensor tensor = Tensor.allocate(context, type);
            tensors.add(tensor);
            if (type.dtype() == DType.F32) {
                boolean vector = type.shape().rank() < 2;
                Initializer values = vector ? new Initializer.Uniform(1, 1) : new Initializer.Normal(0, 1);
                new RandomFill(values, 1, tensors.size()).fill(context, tensor);
            }
            return tensor;
        }

        @Override
        public void close() {
            tensors.forEach(Tensor::close);
            arena.close();
        }
    }
}
