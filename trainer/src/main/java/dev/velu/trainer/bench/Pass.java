package dev.velu.trainer.bench;

/** What of an activation is run. */
public enum Pass {
    /** Reads x, writes y. */
    FORWARD("forward", 2),
    /** Forward, and a backward pass that reads x and dy and writes dx. */
    FORWARD_BACKWARD("forward+backward", 5);

    private final String label;
    private final int accesses;

    Pass(String label, int accesses) {
        this.label = label;
        this.accesses = accesses;
    }

    /** As in reports. */
    public String label() {
        return label;
    }

    /** Gigabytes of float32 that must be read and written at least. */
    double gigabytes(Matrix shape) {
        return 1e-9 * accesses * Float.BYTES * shape.elements();
    }
}
