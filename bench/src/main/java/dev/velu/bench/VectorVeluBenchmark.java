package dev.velu.bench;

import dev.velu.peers.VeluConstants;
import dev.velu.peers.vector.Team;
import dev.velu.peers.vector.VectorVelu;
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

/** VeLU fused in Java with the Vector API, with all processors: what {@link VeluBenchmark} has to be faster than. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
        value = 3,
        jvmArgsAppend = {
            "--add-modules=jdk.incubator.vector",
            "-XX:CompileCommand=quiet",
            "-XX:CompileCommand=dontinline,dev.velu.peers.vector.VeluRows::*"
        })
public class VectorVeluBenchmark {
    /** As {@link VeluBenchmark#shape}. */
    @Param({"100352x64", "25088x256", "6272x512", "1568x2048"})
    public String shape;

    /** As {@link VeluBenchmark#constants}. */
    @Param({"released", "curve"})
    public String constants;

    private Inputs inputs;
    private float[] y;
    private float[] dx;
    private Team team;
    private VectorVelu velu;

    /** The constants of VeLU by their names here. */
    static VeluConstants constants(String name) {
        boolean curve = name.equals("curve");
        return new VeluConstants(
                curve ? 2 : 0.1f, curve ? 1 : 0.1f, curve ? 0.7f : 0.1f, 0.1f, 0.9f, 1e-6f, "inverse_rms", null, null);
    }

    @Setup(Level.Trial)
    public void open() {
        inputs = Inputs.of(shape);
        y = new float[inputs.x().length];
        dx = new float[inputs.x().length];
        team = new Team(Runtime.getRuntime().availableProcessors());
        velu = new VectorVelu(constants(constants), inputs.rows(), inputs.channels(), team);
    }

    @TearDown(Level.Trial)
    public void close() {
        team.close();
    }

    @Benchmark
    public VectorVelu.Moments forward() {
        return velu.forward(inputs.x(), 1, y);
    }

    @Benchmark
    public double forwardBackward() {
        VectorVelu.Moments moments = velu.forward(inputs.x(), 1, y);
        return velu.backward(inputs.x(), inputs.dy(), 1, 0.1f, moments, dx);
    }
}
