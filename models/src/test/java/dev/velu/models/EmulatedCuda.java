package dev.velu.models;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.velu.device.Context;
import dev.velu.device.Device;
import java.nio.file.Files;
import java.nio.file.Path;

/** The CUDA backend compiled for the host: its kernels and its order of work, without a GPU. */
final class EmulatedCuda {
    private EmulatedCuda() {}

    /** A context on it; a test is skipped where it was not built. */
    static Context open() {
        String folder = System.getProperty("velu.test.emulated");
        assumeTrue(folder != null, "the CUDA backend is emulated only with -Dvelu.test.emulated=FOLDER");
        assumeTrue(
                Files.exists(Path.of(folder, "libvelu_cuda.so")),
                () -> "there is no emulated libvelu_cuda.so in " + folder + "; the native build makes it");
        return Context.open(Device.cuda(0));
    }
}
