package dev.velu.trainer.compare;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** How large this process has been. */
public final class PeakMemory {
    private static final Path STATUS = Path.of("/proc/self/status");
    private static final String PEAK = "VmHWM:";

    private PeakMemory() {}

    /** Largest resident set so far in bytes; null where the system does not tell, see proc(5). */
    public static Long ofThisProcess() {
        try {
            return Files.readAllLines(STATUS).stream()
                    .filter(line -> line.startsWith(PEAK))
                    .map(line -> 1024 * Long.parseLong(line.replaceAll("[^0-9]", "")))
                    .findFirst()
                    .orElse(null);
        } catch (IOException e) {
            return null;
        }
    }
}
