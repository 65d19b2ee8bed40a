package dev.velu.trainer.peer;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonInclude;
import dev.velu.device.Device;
import dev.velu.models.PlannedMemory;
import dev.velu.trainer.run.RunConfiguration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/** Our training step beside those of peers: the same network, batch, loss and optimizer, from the same weights, in turns. */
public final class StepComparison {
    private static final int MOST_PEER_WARMUP = 3;
    private static final int LEAST_RUNS = 2;

    private final RunConfiguration settings;
    private final int classes;
    private final int size;
    private final int rounds;
    private final int steps;
    private final int warmup;

    /**
     * One that was timed.
     *
     * @param spread interquartile range of its steps as a fraction of the median
     * @param firstLoss cross-entropy of its first step; equal for all that start from the same weights and draw nothing at random
     */
    public record Contestant(
            String name,
            int steps,
            double medianMilliseconds,
            double spread,
            double minMilliseconds,
            double imagesPerSecond,
            double firstLoss) {}

    /**
     * Memory of a step.
     *
     * @param plannedBytes what the planner says of ours: parameters, gradients, optimizer, activations, scratch
     * @param measuredBytes growth of the resident set of a process that does our step and nothing else
     * @param planErrorPercent by how much the measured value is above the planned one
     * @param peer whose resident set grew least
     * @param peerBytes growth of its resident set from the loaded library on
     */
    public record Memory(
            long plannedBytes,
            long measuredBytes,
            double planErrorPercent,
            String peer,
            long peerBytes,
            Comparison planned) {}

    /**
     * What was found.
     *
     * @param ours times of our steps
     * @param memory null without a peer that is another library
     */
    public record Result(
            @JsonIgnore Timings ours,
            List<Comparison> comparisons,
            List<Contestant> contestants,
            @JsonInclude(JsonInclude.Include.NON_NULL) Memory memory) {}

    /** A peer that is ready, and which one it is. */
    private record Candidate(StepPeer peer, Contender contender, double firstLoss) {}

    /**
     * A comparison that is not started yet.
     *
     * @param settings network, activation, precision, optimizer, batch size, threads
     * @param rounds turns of everybody
     * @param steps ours in all rounds together, positive
     * @param warmup ours before
     */
    public StepComparison(RunConfiguration settings, int classes, int size, int rounds, int steps, int warmup) {
        this.settings = settings;
        this.classes = classes;
        this.size = size;
        this.rounds = rounds;
        this.steps = steps;
        this.warmup = warmup;
    }

    /**
     * Finds out before anything is done whether it can be.
     *
     * @throws IllegalArgumentException if a peer cannot do this step; says what it can
     * @throws PeerException if the peers' module is missing
     */
    public void check(List<StepPeer> peers) {
        for (StepPeer peer : peers) {
            switch (peer) {
                case DJL, DJL_CHANNELS_LAST -> TrainingRequest.check(settings, settings.network(classes, size));
                case VELU_FP32 -> unlike(peer, settings.precision(), "fp32", "--precision bf16");
                case VELU_RELU -> unlike(peer, settings.activation(), "relu", "--activation velu");
            }
        }
        if (peers.stream().anyMatch(StepPeer::isForeign)) {
            PeerModule.find();
        }
    }

    private static void unlike(StepPeer peer, String value, String same, String remedy) {
        if (value.equals(same)) {
            throw new IllegalArgumentException(
                    "peer '" + peer.label() + "' would be the same step; use it with " + remedy);
        }
    }

    /**
     * Times everybody.
     *
     * @param ours made from the same settings, not run yet
     * @param peers at least one
     * @param progress is told what happens, in words
     * @throws PeerException if a peer fails
     */
    public Result against(TrainingSteps ours, List<StepPeer> peers, Consumer<String> progress) {
        List<Candidate> candidates = new ArrayList<>();
        try (PeerFiles files = new PeerFiles()) {
            // Written before our first step, so that all start from the same weights.
            TrainingRequest request = peers.stream().anyMatch(StepPeer::isForeign) ? request(ours, files) : null;
            ours.run(1);
            double firstLoss = ours.step().loss();
            for (StepPeer peer : peers) {
                progress.accept("preparing " + peer.label());
                switch (peer) {
                    case DJL -> {
                        for (Malloc malloc : Malloc.values()) {
                            candidates.add(libtorch(peer, malloc, request));
                        }
                    }
                    case DJL_CHANNELS_LAST -> candidates.add(libtorch(peer, Malloc.TUNED, request.withChannelsLast()));
                    case VELU_FP32 -> candidates.add(own(peer, "precision", "fp32"));
                    case VELU_RELU -> candidates.add(own(peer, "activation", "relu"));
                }
            }
            return play(ours, firstLoss, candidates, progress);
        } finally {
            candidates.forEach(candidate -> candidate.contender().close());
        }
    }

    private TrainingRequest request(TrainingSteps ours, PeerFiles files) {
        return TrainingRequest.of(settings, settings.network(classes, size), ours.writeTo(files), ours.labels());
    }

    private Candidate libtorch(StepPeer peer, Malloc malloc, TrainingRequest request) {
        PeerProcess process = PeerProcess.start(PeerModule.find(), threads(), malloc, List.of());
        try {
            process.prepare(request);
            process.run(1);
            return new Candidate(peer, process, process.results().path("loss").asDouble());
        } catch (RuntimeException e) {
            process.close();
            throw e;
        }
    }

    private Candidate own(StepPeer peer, String setting, String value) {
        RunConfiguration other = settings.with(Map.of(setting, value));
        TrainingSteps steps = new TrainingSteps(
                other, other.network(classes, size), Device.parse(settings.device()), other.contextOptions());
        steps.run(1);
        return new Candidate(peer, steps, steps.step().loss());
    }

    private int threads() {
        return settings.threads() == 0 ? Runtime.getRuntime().availableProcessors() : settings.threads();
    }

    private Result play(TrainingSteps ours, double firstLoss, List<Candidate> candidates, Consumer<String> progress) {
        int runs = Math.ceilDiv(steps, rounds);
        double[] last = ours.run(Math.max(warmup, 1));
        double turn = runs * last[last.length - 1];
        List<Rounds.Entrant> entrants = new ArrayList<>();
        entrants.add(new Rounds.Entrant(ours, runs));
        for (Candidate candidate : candidates) {
            progress.accept("warming up " + candidate.contender().name());
            int few = Math.clamp(warmup, 1, MOST_PEER_WARMUP);
            entrants.add(Rounds.Entrant.lasting(candidate.contender(), few, turn, LEAST_RUNS));
        }
        List<Timings> timings =
                new Rounds(rounds).play(entrants, round -> progress.accept("round " + round + " of " + rounds));
        List<Contestant> contestants = new ArrayList<>();
        contestants.add(contestant(ours.name(), timings.getFirst(), firstLoss));
        for (int i = 0; i < candidates.size(); i++) {
            Candidate candidate = candidates.get(i);
            contestants.add(contestant(candidate.contender().name(), timings.get(i + 1), candidate.firstLoss()));
        }
        return new Result(
                timings.getFirst(), comparisons(candidates, timings), contestants, memory(ours, candidates, progress));
    }

    private Contestant contestant(String name, Timings timings, double firstLoss) {
        return new Contestant(
                name,
                timings.count(),
                timings.median(),
                timings.spread(),
                timings.quantile(0),
                1e3 * settings.batchSize() / timings.median(),
                firstLoss);
    }

    /** In the order of the peers. */
    private List<Comparison> comparisons(List<Candidate> candidates, List<Timings> timings) {
        return IntStream.range(0, candidates.size())
                .mapToObj(i -> Comparison.rates(
                        "training step of " + describe() + " against " + against(candidates.get(i)),
                        "images/s",
                        settings.batchSize(),
                        timings.getFirst(),
                        timings.get(i + 1)))
                .toList();
    }

    private String against(Candidate candidate) {
        boolean floats = candidate.peer().isForeign() && !settings.precision().equals("fp32");
        return candidate.contender().name() + (floats ? ", fp32" : "");
    }

    private String describe() {
        return settings.model() + ", " + settings.activation() + ", " + settings.precision() + ", " + size
                + " px, batch size " + settings.batchSize();
    }

    private Memory memory(TrainingSteps ours, List<Candidate> candidates, Consumer<String> progress) {
        Candidate least = null;
        long leastBytes = Long.MAX_VALUE;
        for (Candidate candidate : candidates) {
            if (candidate.contender() instanceof PeerProcess process && process.residentGrowth() < leastBytes) {
                least = candidate;
                leastBytes = process.residentGrowth();
            }
        }
        if (least == null) {
            return null;
        }
        progress.accept("measuring resident memory");
        long planned = PlannedMemory.training(
                        settings.network(classes, size), settings.batchSize(), settings.algorithm(), ours.context())
                .total();
        long measured = ResidentSteps.measure(settings, classes, size);
        String peer = against(least);
        return new Memory(
                planned,
                measured,
                100.0 * (measured - planned) / planned,
                peer,
                leastBytes,
                Comparison.smaller(
                        "planned memory of " + describe() + " against growth of the resident set of " + peer,
                        "bytes",
                        planned,
                        leastBytes,
                        null));
    }
}
