package dev.velu.selftest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.tensor.DType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * The whole self test on the CUDA backend, compiled for the host: memory that Java cannot read, two streams, graphs, both
 * precisions. The build runs it in a process of its own, with the folder of that backend in velu.test.emulated.
 */
class SelfTestEmulatedCudaTest {
    @BeforeAll
    static void requireTheEmulatedBackend() {
        String folder = System.getProperty("velu.test.emulated", "");
        assumeTrue(
                !folder.isEmpty() && Files.exists(Path.of(folder, "libvelu_cuda.so")),
                "no emulated CUDA backend in '" + folder + "'; the native build makes it together with its tests");
    }

    @Test
    void everyOperationIsWithinItsToleranceInBothPrecisions() {
        List<Result> results = new ArrayList<>();
        List<NotRun> notRun = new ArrayList<>();
        try (Context context = Context.open(Device.cuda(0))) {
            SelfTest.run(context, false, results::add, notRun::add);
        }

        assertThat(results.stream().filter(result -> !result.pass())).isEmpty();
        assertThat(results.stream().map(Result::dtype)).contains(DType.F32, DType.BF16);
        assertThat(results.stream().map(Result::operation)).contains("graph", "events");
        assertThat(notRun.stream().map(NotRun::what)).contains("CUDA itself").doesNotContain("arithmetic in BF16");
    }
}
