package dev.velu.trainer.peer;

import java.util.Map;

/** How a peer's process takes memory from the system: libtorch takes and gives back every tensor through malloc. */
public enum Malloc {
    /** As glibc does it: large blocks are mapped and unmapped one by one, so that every tensor costs page faults. */
    DEFAULT(Map.of()),
    /** One arena that keeps what was freed. */
    TUNED(Map.of(
            "MALLOC_ARENA_MAX", "1",
            "MALLOC_MMAP_THRESHOLD_", "4294967296",
            "MALLOC_TRIM_THRESHOLD_", "17179869184",
            "MALLOC_TOP_PAD_", "67108864"));

    private final Map<String, String> environment;

    Malloc(Map<String, String> environment) {
        this.environment = environment;
    }

    /** Environment variables for glibc. */
    Map<String, String> environment() {
        return environment;
    }
}
