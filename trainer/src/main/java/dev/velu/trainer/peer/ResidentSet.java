package dev.velu.trainer.peer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * How far the peak of a process' resident set rose above what it was at a moment. The kernel keeps the peak, so nothing that is
 * freed between two looks is missed.
 *
 * @param pid the process: this one or one that it started
 * @param bytes the resident set at that moment
 */
record ResidentSet(long pid, long bytes) {
    /** Begins at the present resident set. */
    static ResidentSet of(long pid) {
        try {
            // 5 sets the peak to the present value, see proc(5).
            Files.writeString(Path.of("/proc", Long.toString(pid), "clear_refs"), "5");
        } catch (IOException e) {
            throw new PeerException("cannot watch the memory of process " + pid + ": " + e.getMessage(), e);
        }
        return new ResidentSet(pid, field(pid, "VmRSS:"));
    }

    /** Bytes by which the peak since then is above it. */
    long growth() {
        return field(pid, "VmHWM:") - bytes;
    }

    private static long field(long pid, String name) {
        Path status = Path.of("/proc", Long.toString(pid), "status");
        try {
            for (String line : Files.readAllLines(status)) {
                if (line.startsWith(name)) {
                    return 1024 * Long.parseLong(line.replaceAll("[^0-9]", ""));
                }
            }
        } catch (IOException e) {
            throw new PeerException("cannot watch the memory of process " + pid + ": " + e.getMessage(), e);
        }
        throw new PeerException(status + " has no line " + name);
    }
}
