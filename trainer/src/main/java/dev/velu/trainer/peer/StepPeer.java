package dev.velu.trainer.peer;

import java.util.Arrays;
import java.util.stream.Collectors;

/** What a training step can be compared with. */
public enum StepPeer {
    /** libtorch through DJL, twice: with malloc as it comes, then with malloc tuned. */
    DJL("djl"),
    /** The same with channels beside each other in memory, for which DJL has no name, malloc tuned. */
    DJL_CHANNELS_LAST("djl-channels-last"),
    /** Our own step in float32. */
    VELU_FP32("velu-fp32"),
    /** Our own step with ReLU. */
    VELU_RELU("velu-relu");

    private final String label;

    StepPeer(String label) {
        this.label = label;
    }

    /** As on the command line. */
    public String label() {
        return label;
    }

    /** Whether it runs in a process of its own, from the module {@code bench/peers}. */
    public boolean isForeign() {
        return this == DJL || this == DJL_CHANNELS_LAST;
    }

    /**
     * The peer of this label.
     *
     * @throws IllegalArgumentException for an unknown label; lists the known ones
     */
    public static StepPeer named(String label) {
        return Arrays.stream(values())
                .filter(peer -> peer.label.equals(label))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("unknown peer '" + label + "'; use one of "
                        + Arrays.stream(values()).map(StepPeer::label).collect(Collectors.joining(", "))));
    }
}
