package dev.velu.trainer.bench;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_copy_rows_desc;
import dev.velu.device.Context;
import dev.velu.nn.Initializer;
import dev.velu.op.Activation;
import dev.velu.op.Pointwise;
import dev.velu.op.RandomFill;
import dev.velu.op.Velu;
import dev.velu.op.VeluParameters;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import dev.velu.trainer.peer.Comparison;
import dev.velu.trainer.peer.Contender;
import dev.velu.trainer.peer.Malloc;
import dev.velu.trainer.peer.PeerException;
import dev.velu.trainer.peer.PeerFiles;
import dev.velu.trainer.peer.PeerModule;
import dev.velu.trainer.peer.PeerProcess;
import dev.velu.trainer.peer.Rounds;
import dev.velu.trainer.peer.Rounds.Entrant;
import dev.velu.trainer.peer.Timings;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * VeLU with its Wasserstein-2 distance on the CPU, beside a copy of the same memory, libtorch with VeLU composed of its operations, and
 * VeLU fused in Java with the Vector API; and GELU and SiLU, ours and libtorch's. Input and upstream gradient are N(0, 1).
 *
 * <p>Beside the copy our kernels are timed as they run in a network: on tensors that have left the caches since they were used last,
 * as the copy is. Beside the others everybody computes the same tensors again and again.
 *
 * <p>Everybody's values are compared with ours before the times count.
 */
public final class ActivationBench implements AutoCloseable {
    private static final float W2_WEIGHT = 0.1f;
    private static final List<Pointwise> POINTWISE = List.of(Pointwise.GELU, Pointwise.SILU);
    /** What the rival's compiler needs to know, see {@code dev.velu.peers.vector.VeluRows}. */
    private static final List<String> VECTOR_OPTIONS = List.of(
            "-Xmx1g",
            "--add-modules=jdk.incubator.vector",
            "-XX:CompileCommand=quiet",
            "-XX:CompileCommand=dontinline,dev.velu.peers.vector.VeluRows::*");

    /** Others to compare with, beside the copy. */
    public enum Peer {
        /** libtorch's own operations, composed. */
        LIBTORCH,
        /** The same kernel in Java, over the Vector API. */
        VECTOR_API
    }

    /** Constants of VeLU by a name for reports. */
    public record Constants(String name, VeluParameters values) {}

    /**
     * How long everything takes.
     *
     * @param rounds in which everybody has a turn
     * @param turn milliseconds of a turn, about
     * @param compiling milliseconds before the first turn of what a just-in-time compiler compiles, about
     */
    public record Effort(int rounds, double turn, double compiling) {}

    /**
     * What one of them reached.
     *
     * @param name function, by whom, shape, constants if it has some, pass
     * @param spread interquartile range of the runs as a fraction of the median
     */
    public record Rate(String name, double gigabytesPerSecond, double spread, int runs) {}

    /**
     * VeLU in one case.
     *
     * @param ours on tensors that are not in the caches, in turns with the copy of such
     * @param repeated ours on the same tensors again and again, in turns with the peers
     * @param peers times by peer, for those asked
     */
    public record Case(
            Matrix shape,
            Constants constants,
            Pass pass,
            Timings ours,
            Timings copy,
            Timings repeated,
            Map<Peer, Timings> peers) {
        /** As in names of comparisons. */
        private String name() {
            return "velu " + pass.label() + " " + shape + " " + constants.name();
        }

        /** Bytes moved per second, in 10^9. */
        public double gigabytesPerSecond() {
            return 1e3 * pass.gigabytes(shape) / ours.median();
        }

        /** Everybody's. */
        public List<Rate> rates() {
            List<Rate> rates = new ArrayList<>();
            rates.add(rate(name(), pass, shape, ours));
            rates.add(rate("memory copy in turns with " + name(), Pass.FORWARD, shape, copy));
            rates.add(rate(name() + " on the same tensors", pass, shape, repeated));
            peers.forEach((peer, timings) -> rates.add(rate(name() + " " + label(peer), pass, shape, timings)));
            return rates;
        }

        private static String label(Peer peer) {
            return switch (peer) {
                case LIBTORCH -> "composed in libtorch";
                case VECTOR_API -> "fused with the Vector API";
            };
        }

        /** With the copy, whose rate counts what it reads and writes. */
        public Comparison withCopy() {
            return Comparison.rates(
                    name() + " vs memory copy",
                    "GB/s",
                    pass.gigabytes(shape),
                    ours,
                    Pass.FORWARD.gigabytes(shape),
                    copy);
        }

        /** With a peer that was asked; otherwise null. */
        public Comparison with(Peer peer) {
            Timings theirs = peers.get(peer);
            return theirs == null
                    ? null
                    : Comparison.rates(name() + " vs " + label(peer), "GB/s", pass.gigabytes(shape), repeated, theirs);
        }
    }

    /** A pointwise function in one case; libtorch is null if it was not asked. */
    public record PointwiseCase(Matrix shape, Pointwise function, Pass pass, Timings ours, Timings libtorch) {
        private String name() {
            return function.label() + " " + pass.label() + " " + shape;
        }

        /** Everybody's. */
        public List<Rate> rates() {
            Rate mine = rate(name(), pass, shape, ours);
            return libtorch == null
                    ? List.of(mine)
                    : List.of(mine, rate(name() + " by libtorch", pass, shape, libtorch));
        }

        /** With libtorch; null if it was not asked. */
        public Comparison comparison() {
            return libtorch == null
                    ? null
                    : Comparison.rates(name() + " vs libtorch", "GB/s", pass.gigabytes(shape), ours, libtorch);
        }

        /** Bytes moved per second, in 10^9. */
        public double gigabytesPerSecond() {
            return 1e3 * pass.gigabytes(shape) / ours.median();
        }
    }

    private static Rate rate(String name, Pass pass, Matrix shape, Timings timings) {
        return new Rate(name, 1e3 * pass.gigabytes(shape) / timings.median(), timings.spread(), timings.count());
    }

    private final Context context;
    private final Effort effort;
    private final Consumer<String> progress;
    private final PeerFiles files = new PeerFiles();
    private final Map<Peer, PeerProcess> peers = new EnumMap<>(Peer.class);
    private final Map<Pointwise, PeerProcess> pointwise = new EnumMap<>(Pointwise.class);

    /**
     * Starts the processes of the peers.
     *
     * @param context on the CPU
     * @param module where the peers are; may be null if there are none
     * @param progress is told what is measured next
     * @throws PeerException if a peer cannot be started; says why
     */
    public ActivationBench(
            Context context, PeerModule module, List<Peer> peers, Effort effort, Consumer<String> progress) {
        this.context = context;
        this.effort = effort;
        this.progress = progress;
        try {
            for (Peer peer : peers) {
                this.peers.put(
                        peer,
                        PeerProcess.start(
                                module,
                                context.threads(),
                                Malloc.TUNED,
                                peer == Peer.VECTOR_API ? VECTOR_OPTIONS : List.of()));
            }
            if (peers.contains(Peer.LIBTORCH)) {
                for (Pointwise function : POINTWISE) {
                    pointwise.put(function, PeerProcess.start(module, context.threads(), Malloc.TUNED, List.of()));
                }
            }
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    /** Names of the peers with versions. */
    public List<String> versions() {
        return peers.values().stream().map(PeerProcess::name).toList();
    }

    /** Measures one shape: VeLU with all constants and the pointwise functions, forward and with backward. */
    public void measure(Matrix shape, List<Constants> constants, Consumer<Case> velu, Consumer<PointwiseCase> others) {
        try (Tensors tensors = new Tensors(shape)) {
            Path file = peers.isEmpty()
                    ? null
                    : files.tensors(Map.of(
                            "x", tensors.first().x(), "dy", tensors.first().dy()));
            for (Pass pass : Pass.values()) {
                for (Constants of : constants) {
                    progress.accept("velu " + pass.label() + " " + shape + " " + of.name());
                    velu.accept(velu(tensors, of, pass, file));
                }
                for (Pointwise function : POINTWISE) {
                    progress.accept(function.label() + " " + pass.label() + " " + shape);
                    others.accept(pointwise(tensors, function, pass, file));
                }
            }
        }
    }

    private Case velu(Tensors tensors, Constants constants, Pass pass, Path file) {
        List<Contender> contenders = new ArrayList<>();
        contenders.add(tensors.velu(constants.values(), pass, tensors.away()));
        contenders.add(tensors.copy(tensors.away()));
        contenders.add(tensors.velu(constants.values(), pass, List.of(tensors.first())));
        contenders.get(2).run(1);
        Expected expected = tensors.expected(pass, true);
        peers.forEach((peer, process) -> {
            Map<String, Object> task = new LinkedHashMap<>();
            task.put("kind", peer == Peer.LIBTORCH ? "activation" : "vector_velu");
            if (peer == Peer.LIBTORCH) {
                task.put("activation", "velu");
            }
            task.put("velu", OperationBench.described(constants.values()));
            task.put("w2_weight", W2_WEIGHT);
            task.put("backward", pass == Pass.FORWARD_BACKWARD);
            task.put("tensors", file.toString());
            process.prepare(task);
            process.run(1);
            expected.requireOf(process);
            contenders.add(process);
        });
        List<Timings> timings = play(contenders);
        Map<Peer, Timings> theirs = new EnumMap<>(Peer.class);
        int next = 3;
        for (Peer peer : peers.keySet()) {
            theirs.put(peer, timings.get(next++));
        }
        return new Case(tensors.shape, constants, pass, timings.get(0), timings.get(1), timings.get(2), theirs);
    }

    private PointwiseCase pointwise(Tensors tensors, Pointwise function, Pass pass, Path file) {
        List<Contender> contenders = new ArrayList<>();
        contenders.add(tensors.pointwise(function, pass));
        contenders.get(0).run(1);
        PeerProcess process = pointwise.get(function);
        if (process != null) {
            process.prepare(Map.of(
                    "kind",
                    "activation",
                    "activation",
                    function.label(),
                    "backward",
                    pass == Pass.FORWARD_BACKWARD,
                    "tensors",
                    file.toString()));
            process.run(1);
            tensors.expected(pass, false).requireOf(process);
            contenders.add(process);
        }
        List<Timings> timings = play(contenders);
        return new PointwiseCase(
                tensors.shape, function, pass, timings.get(0), process == null ? null : timings.get(1));
    }

    private List<Timings> play(List<Contender> contenders) {
        List<Entrant> entrants = new ArrayList<>();
        for (Contender contender : contenders) {
            if (contender == peers.get(Peer.VECTOR_API)) {
                for (double spent = 0; spent < effort.compiling(); ) {
                    for (double milliseconds : contender.run(5)) {
                        spent += milliseconds;
                    }
                }
            }
            entrants.add(Entrant.lasting(contender, 2, effort.turn(), 1));
        }
        return new Rounds(effort.rounds()).play(entrants, round -> {});
    }

    @Override
    public void close() {
        peers.values().forEach(PeerProcess::close);
        pointwise.values().forEach(PeerProcess::close);
        files.close();
    }

    /** What we computed, to be found in what a peer computed. */
    private record Expected(float[] y, float[] dx, Double w2, Double dlambda) {
        private static final double TOLERANCE = 1e-4;
        /** Elements that may differ by more: near the clip a gradient in float32 is anybody's. */
        private static final int EXCEPTIONS = 3;

        void requireOf(PeerProcess peer) {
            require(peer, "y", y);
            require(peer, "dx", dx);
            require(peer, "w2", w2);
            require(peer, "dlambda", dlambda);
        }

        private void require(PeerProcess peer, String what, Double ours) {
            double theirs = peer.results().path(what).asDouble(Double.NaN);
            if (ours != null && !(Math.abs(theirs - ours) <= 10 * TOLERANCE * Math.max(1, Math.abs(ours)))) {
                throw new PeerException(
                        peer.name() + " computed something else: " + what + " is " + theirs + ", ours " + ours);
            }
        }

        private void require(PeerProcess peer, String what, float[] ours) {
            if (ours == null) {
                return;
            }
            var theirs = peer.results().path(what);
            int others = 0;
            int worst = 0;
            double most = -1;
            for (int i = 0; i < theirs.size(); i++) {
                float expected = ours[(int) ((long) i * ours.length / theirs.size())];
                double difference = Math.abs(theirs.get(i).asDouble() - expected) / Math.max(1, Math.abs(expected));
                others += difference <= TOLERANCE ? 0 : 1;
                if (difference > most) {
                    most = difference;
                    worst = i;
                }
            }
            if (others > EXCEPTIONS || theirs.isEmpty()) {
                throw new PeerException(peer.name() + " computed something else: " + others + " of " + theirs.size()
                        + " elements of " + what + " differ, one by " + most + " at sample " + worst);
            }
        }
    }

    /** One set of what a case is computed on. */
    private record Operands(Tensor x, Tensor dy, Tensor y, Tensor dx) {
        List<Tensor> all() {
            return List.of(x, dy, y, dx);
        }
    }

    /** What a case is computed on. */
    private final class Tensors implements AutoCloseable {
        /** Bytes of x and y in all sets together: four times a large third-level cache. */
        private static final long AWAY_BYTES = 128L << 20;

        private final Matrix shape;
        private final List<Operands> sets = new ArrayList<>();
        private final Tensor lambda;
        private final Tensor dlambda;
        private final Tensor moments;
        private final Arena arena = Arena.ofConfined();

        Tensors(Matrix shape) {
            this.shape = shape;
            lambda = Tensor.allocate(context, DType.F32).set(1f);
            dlambda = Tensor.allocate(context, DType.F32);
            moments = Tensor.allocate(context, DType.F32, 3);
            long count = Math.max(1, Math.ceilDiv(AWAY_BYTES, 2 * shape.elements() * Float.BYTES));
            // Tiny shapes are for trying out; no number of sets would push them out of the caches.
            for (int i = 0; i < Math.min(count, 16); i++) {
                sets.add(new Operands(random(1), random(2), tensor(), tensor()));
            }
        }

        private Tensor tensor() {
            return Tensor.allocate(context, DType.F32, shape.rows(), shape.channels());
        }

        private Tensor random(int stream) {
            Tensor tensor = tensor();
            new RandomFill(new Initializer.Normal(0, 1), 1, stream).fill(context, tensor);
            return tensor;
        }

        Operands first() {
            return sets.getFirst();
        }

        /** So many that, taken in turns, each has left the caches before it is used again. */
        List<Operands> away() {
            return sets;
        }

        Contender velu(VeluParameters parameters, Pass pass, List<Operands> on) {
            Velu velu = new Velu(parameters, W2_WEIGHT);
            return inTurns("velu", on, set -> {
                velu.forward(context, set.x(), lambda, set.y(), moments);
                if (pass == Pass.FORWARD_BACKWARD) {
                    velu.backward(context, set.x(), set.dy(), lambda, moments, set.dx(), dlambda);
                }
            });
        }

        Contender pointwise(Pointwise function, Pass pass) {
            Activation activation = new Activation(function);
            return inTurns(function.label(), List.of(first()), set -> {
                activation.forward(context, set.x(), set.y());
                if (pass == Pass.FORWARD_BACKWARD) {
                    activation.backward(context, set.x(), set.dy(), set.dx());
                }
            });
        }

        /** A copy of x to y, a part by each of the threads that the kernels use: one row of a matrix of that many rows. */
        Contender copy(List<Operands> on) {
            long parts = shape.elements() % context.threads() == 0 ? context.threads() : 1;
            MemorySegment desc = velu_copy_rows_desc.allocate(arena);
            velu_copy_rows_desc.device(desc, VeluNative.VELU_DEVICE_CPU());
            velu_copy_rows_desc.dtype(desc, VeluNative.VELU_DTYPE_F32());
            velu_copy_rows_desc.rows(desc, parts);
            velu_copy_rows_desc.channels(desc, shape.elements() / parts);
            velu_copy_rows_desc.x_pitch(desc, shape.elements() / parts);
            velu_copy_rows_desc.y_pitch(desc, shape.elements() / parts);
            return inTurns(
                    "memory copy",
                    on,
                    set -> context.check(
                            VeluNative.velu_copy_rows_forward(
                                    context.handle(),
                                    desc,
                                    set.x().segment(),
                                    set.y().segment()),
                            "velu_copy_rows_forward"));
        }

        private static Contender inTurns(String name, List<Operands> on, Consumer<Operands> work) {
            int[] runs = {0};
            return new Stopwatch(name, () -> work.accept(on.get(runs[0]++ % on.size())));
        }

        Expected expected(Pass pass, boolean velu) {
            boolean backward = pass == Pass.FORWARD_BACKWARD;
            return new Expected(
                    first().y().toFloatArray(),
                    backward ? first().dx().toFloatArray() : null,
                    velu ? (double) moments.toFloatArray()[2] : null,
                    velu && backward ? dlambda.item() : null);
        }

        @Override
        public void close() {
            sets.forEach(set -> set.all().forEach(Tensor::close));
            for (Tensor tensor : List.of(lambda, dlambda, moments)) {
                tensor.close();
            }
            arena.close();
        }
    }
}
