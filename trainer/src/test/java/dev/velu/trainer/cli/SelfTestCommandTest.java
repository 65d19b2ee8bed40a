package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.selftest.Limits;
import dev.velu.selftest.Measurement;
import dev.velu.selftest.NotRun;
import dev.velu.selftest.Result;
import dev.velu.tensor.DType;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SelfTestCommandTest {
    /** VeLU of a row of zeros: every result is 0, whatever the constants, and W2 is 1. */
    private static final String ZEROS = """
            {"cases": [{"name": "zeros", "rows": 1, "channels": 2,
              "params": {"statistic": "inverse_rms", "alpha": 0.1, "beta1": 0.1, "beta2": 0.1, "gamma": 0.1, "mu": 0.9,
                         "eps": 1e-6, "lambda": 1.0},
              "w2_weight": 0.0, "x": [0, 0], "dy": [0, 0], "y": [%s, 0], "activation_mean": 0, "activation_std": 0,
              "w2": 1, "dx": [0, 0], "dx_magnitude": [0, 0], "dlambda": 0, "dlambda_magnitude": 0}]}
            """;

    @TempDir
    Path folder;

    private CommandRun vectors(String content) throws IOException {
        Path file = Files.writeString(folder.resolve("vectors.json"), content);
        return CommandRun.of("selftest", "--device", "cpu", "--vectors", file.toString());
    }

    @Test
    void rightVectorsAreWithinTolerance() throws IOException {
        CommandRun run = vectors(ZEROS.formatted("0"));

        assertThat(run.err()).isEmpty();
        assertThat(run.status()).isZero();
        assertThat(run.out().lines().toList().getLast())
                .isEqualTo("1 cases within tolerance, worst 0.000 of tolerance (zeros)");
    }

    @Test
    void aWrongVectorFailsAndIsNamed() throws IOException {
        CommandRun run = vectors(ZEROS.formatted("0.001"));

        assertThat(run.status()).isEqualTo(1);
        assertThat(run.out().lines().toList().getLast())
                .startsWith("1 of 1 cases outside tolerance")
                .contains("zeros");
        assertThat(run.err()).startsWith("velu: 1 of 1 cases outside tolerance").hasLineCount(1);
    }

    @Test
    void aFileThatIsNotVectorsIsNamed() throws IOException {
        CommandRun run = vectors("{\"cases\": 3}");

        assertThat(run.status()).isEqualTo(1);
        assertThat(run.err()).contains("vectors.json").hasLineCount(1);
    }

    @Test
    void jsonHasEveryCase() throws IOException {
        Path file = Files.writeString(folder.resolve("vectors.json"), ZEROS.formatted("0"));

        JsonNode report = CommandRun.of("selftest", "--vectors", file.toString(), "--isa", "baseline", "--json")
                .json();

        assertThat(report.path("pass").asBoolean()).isTrue();
        assertThat(report.path("cases").asInt()).isEqualTo(1);
        assertThat(report.path("results").path(0).path("isa").asText()).isEqualTo("baseline");
    }

    @Test
    void oneFailedCheckFailsTheWholeAndIsTheVerdict() {
        StringWriter table = new StringWriter();
        CheckReport report = new CheckReport(Device.cpu(), new PrintWriter(table, true));
        report.add(Isa.AUTO, new Result("add_forward", DType.F32, "31", "avx2", 1e-7, 1e-6, true, ""));
        report.add(
                Isa.AUTO,
                new Result("velu_forward", DType.BF16, "7x33", "avx2", 3e-6, 1e-6, false, "y[3] is 1, expected 2"));

        assertThat(report.pass()).isFalse();
        assertThat(report.verdict())
                .isEqualTo(
                        "1 of 2 checks outside tolerance (worst 3.000 of tolerance: velu_forward, bf16, 7x33, avx2)");
        assertThat(table.toString()).contains("FAIL  7x33: y[3] is 1, expected 2");
    }

    @Test
    void whatCouldNotBeRunIsListedOnceWithItsReason() {
        StringWriter table = new StringWriter();
        CheckReport report = new CheckReport(Device.cpu(), new PrintWriter(table, true));
        report.add(Isa.BASELINE, new NotRun("graph", "the cpu has none"));
        report.add(Isa.AVX2, new NotRun("graph", "the cpu has none"));
        report.printNotRun();

        assertThat(table.toString().lines().filter(line -> line.startsWith("not run: ")))
                .containsExactly("not run: graph: the cpu has none");
        assertThat(report.summary().notRun())
                .containsExactly(
                        new CheckReport.Omission("baseline", "graph", "the cpu has none"),
                        new CheckReport.Omission("avx2", "graph", "the cpu has none"));
    }

    @Test
    void speedAndVectorsDoNotGoTogether() throws IOException {
        CommandRun run = CommandRun.of("selftest", "--perf", "--vectors", "x.json");

        assertThat(run.status()).isEqualTo(2);
        assertThat(run.err()).contains("--perf has no use for --vectors");
    }

    @Test
    void theShareOfTheLimitStandsInTheTableAndInJson() {
        StringWriter table = new StringWriter();
        SpeedReport report = new SpeedReport(Device.cpu(), new PrintWriter(table, true));
        report.add(Isa.AUTO, new Limits(20e9, Map.of(DType.F32, 100e9)));
        report.add(Isa.AUTO, new Measurement("add_forward", DType.F32, "31", "avx2", 2, 0.05, 11, 30e6, 0, true, 0.75));

        assertThat(table.toString())
                .contains("copy 20.0 GB/s", "matrix product 100 GFLOP/s in fp32")
                .containsPattern("add_forward +fp32 +avx2 +2.0000 +5.0 % +15.0 GB/s +75.0 %  31");
        assertThat(report.summary().results().getFirst().limit()).isEqualTo("copy");
        assertThat(report.summary().limits().getFirst().bf16ProductGigaflops()).isNull();
    }

    @Test
    void noCheckAtAllIsNoPass() {
        assertThat(new CheckReport(Device.cpu(), null).pass()).isFalse();
    }
}
