package dev.velu.bench;

import dev.velu.peers.ActivationTask;
import dev.velu.peers.Work;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * libtorch through DJL with all processors: VeLU composed of its operations with the Wasserstein-2 distance, differentiated by it, and
 * GELU and SiLU. Tensors come and go through malloc, so how that is tuned matters: see the package.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
        value = 3,
        jvmArgsAppend = {
            "--enable-native-access=ALL-UNNAMED",
            "-DOPT_OUT_TRACKING=true",
            "-Dai.djl.offline=true",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        })
public class LibtorchBenchmark {
    /** As {@link VeluBenchmark#shape}. */
    @Param({"100352x64", "25088x256", "6272x512", "1568x2048"})
    public String shape;

    @Param({"velu", "gelu", "silu"})
    public String activation;

    /** As {@link VeluBenchmark#constants}; without effect on other functions. */
    @Param({"released"})
    public String constants;

    private Work forward;
    private Work forwardBackward;

    @Setup(Level.Trial)
    public void open() {
        System.setProperty("DJL_CACHE_DIR", Places.djl().toString());
        String file = Inputs.of(shape).file().toString();
        int threads = Runtime.getRuntime().availableProcessors();
        forward = prepare(false, file, threads);
        forwardBackward = prepare(true, file, threads);
    }

    private Work prepare(boolean backward, String file, int threads) {
        boolean velu = activation.equals("velu");
        ActivationTask task = new ActivationTask(
                activation, velu ? VectorVeluBenchmark.constants(constants) : null, 0.1f, backward, file);
        task.load(threads);
        return task.prepare(threads);
    }

    @TearDown(Level.Trial)
    public void close() {
        forward.close();
        forwardBackward.close();
    }

    @Benchmark
    public void forward() {
        forward.run();
    }

    @Benchmark
    public void forwardBackward() {
        forwardBackward.run();
    }
}
