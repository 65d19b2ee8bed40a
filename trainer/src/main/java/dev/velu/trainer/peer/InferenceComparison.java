package dev.velu.trainer.peer;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.databind.JsonNode;
import dev.velu.device.Device;
import dev.velu.trainer.run.RunConfiguration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Our classification beside that of peers: the same network, weights and images, in turns. */
public final class InferenceComparison {
    /** Peers as on the command line. */
    public static final String ONNX_RUNTIME = "onnxruntime";
    /** See {@link #ONNX_RUNTIME}; our own in float32. */
    public static final String VELU_FP32 = "velu-fp32";

    private static final double SLOW_SHARE = 0.9;
    private static final int LEAST_RUNS = 3;

    private final RunConfiguration settings;
    private final int classes;
    private final int size;
    private final int rounds;
    private final double turnMilliseconds;
    private final int warmup;

    /**
     * One that was timed.
     *
     * @param p90Milliseconds nine of ten runs are faster
     * @param logitsError largest difference of its scores of the first image to ours, relative to the largest score
     */
    public record Contestant(
            String name,
            int runs,
            double medianMilliseconds,
            double p90Milliseconds,
            double minMilliseconds,
            double spread,
            double imagesPerSecond,
            double logitsError) {}

    /** What was found. */
    public record Result(@JsonIgnore Timings ours, List<Comparison> comparisons, List<Contestant> contestants) {}

    /**
     * A comparison that is not started yet.
     *
     * @param settings network, activation, precision, batch size, threads
     * @param rounds turns of everybody
     * @param turnMilliseconds about how long each turn lasts
     * @param warmup runs before
     */
    public InferenceComparison(
            RunConfiguration settings, int classes, int size, int rounds, double turnMilliseconds, int warmup) {
        this.settings = settings;
        this.classes = classes;
        this.size = size;
        this.rounds = rounds;
        this.turnMilliseconds = turnMilliseconds;
        this.warmup = warmup;
    }

    /**
     * Finds out before anything is done whether it can be.
     *
     * @throws IllegalArgumentException for an unknown peer or one that would be the same
     * @throws PeerException if the peers' module is missing
     */
    public void check(List<String> peers) {
        for (String peer : peers) {
            if (!List.of(ONNX_RUNTIME, VELU_FP32).contains(peer)) {
                throw new IllegalArgumentException(
                        "unknown peer '" + peer + "'; use one of " + ONNX_RUNTIME + ", " + VELU_FP32);
            }
            if (peer.equals(VELU_FP32) && settings.precision().equals("fp32")) {
                throw new IllegalArgumentException(
                        "peer '" + peer + "' would be the same; use it with --precision bf16");
            }
        }
        if (peers.contains(ONNX_RUNTIME)) {
            PeerModule.find();
        }
    }

    /**
     * Times everybody; us alone if there are no peers.
     *
     * @param ours made from the same settings
     * @param progress is told what happens, in words
     * @throws PeerException if a peer fails
     */
    public Result against(InferenceRuns ours, List<String> peers, Consumer<String> progress) {
        List<Contender> contenders = new ArrayList<>();
        contenders.add(ours);
        try (PeerFiles files = new PeerFiles()) {
            for (String peer : peers) {
                progress.accept("preparing " + peer);
                contenders.add(peer.equals(ONNX_RUNTIME) ? onnxRuntime(ours, files) : floats());
            }
            List<Rounds.Entrant> entrants = contenders.stream()
                    .map(contender -> Rounds.Entrant.lasting(contender, warmup, turnMilliseconds, LEAST_RUNS))
                    .toList();
            List<Timings> timings =
                    new Rounds(rounds).play(entrants, round -> progress.accept("round " + round + " of " + rounds));
            return result(contenders, timings);
        } finally {
            contenders.stream().skip(1).forEach(Contender::close);
        }
    }

    private PeerProcess onnxRuntime(InferenceRuns ours, PeerFiles files) {
        int threads = settings.threads() == 0 ? Runtime.getRuntime().availableProcessors() : settings.threads();
        PeerProcess process = PeerProcess.start(PeerModule.find(), threads, Malloc.DEFAULT, List.of());
        try {
            process.prepare(Map.of(
                    "kind",
                    "inference",
                    "model",
                    ours.writeModel(files).toString(),
                    "tensors",
                    ours.writeBatch(files).toString()));
            return process;
        } catch (RuntimeException e) {
            process.close();
            throw e;
        }
    }

    private InferenceRuns floats() {
        RunConfiguration other = settings.with(Map.of("precision", "fp32"));
        return new InferenceRuns(
                other, other.network(classes, size), Device.parse(settings.device()), other.contextOptions());
    }

    private Result result(List<Contender> contenders, List<Timings> timings) {
        int batch = settings.batchSize();
        float[] ours = logits(contenders.getFirst());
        List<Contestant> contestants = new ArrayList<>();
        List<Comparison> comparisons = new ArrayList<>();
        Timings mine = timings.getFirst();
        for (int i = 0; i < contenders.size(); i++) {
            Timings each = timings.get(i);
            contestants.add(new Contestant(
                    contenders.get(i).name(),
                    each.count(),
                    each.median(),
                    each.quantile(SLOW_SHARE),
                    each.quantile(0),
                    each.spread(),
                    1e3 * batch / each.median(),
                    error(logits(contenders.get(i)), ours)));
            if (i > 0) {
                String what = " of " + settings.model() + ", " + settings.activation() + ", " + settings.precision()
                        + ", " + size + " px, batch size " + batch + " against "
                        + contenders.get(i).name()
                        + (contenders.get(i) instanceof PeerProcess
                                        && !settings.precision().equals("fp32")
                                ? ", fp32"
                                : "");
                comparisons.add(Comparison.milliseconds("latency" + what, mine, each));
                comparisons.add(Comparison.rates("throughput" + what, "images/s", batch, mine, each));
                comparisons.add(Comparison.smaller(
                        "latency of the slowest tenth" + what,
                        "ms",
                        mine.quantile(SLOW_SHARE),
                        each.quantile(SLOW_SHARE),
                        null));
            }
        }
        return new Result(mine, comparisons, contestants);
    }

    private static float[] logits(Contender contender) {
        if (contender instanceof InferenceRuns runs) {
            return runs.logits();
        }
        JsonNode values = ((PeerProcess) contender).results().path("logits");
        float[] logits = new float[values.size()];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = (float) values.get(i).asDouble();
        }
        return logits;
    }

    private static double error(float[] logits, float[] ours) {
        double difference = 0;
        double largest = 0;
        for (int i = 0; i < ours.length; i++) {
            difference = Math.max(difference, Math.abs(logits[i] - ours[i]));
            largest = Math.max(largest, Math.abs(ours[i]));
        }
        return difference == 0 ? 0 : difference / largest;
    }
}
