package dev.velu.op;

/**
 * How far the result of an operation on BF16 tensors may be from that on F32 tensors of the same values. Arithmetic is
 * float32 in both, so a BF16 result is the float32 one rounded, u = 2^-8.
 *
 * @see #neighbours
 */
enum BFloat16Tolerance {
    /** Each element by the same operations, or no arithmetic at all. */
    EXACT(0, 0),

    /**
     * Sums in another order, as 16 bytes hold 8 elements and not 4: 32 roundings of float32, 2e-6 of the largest sum. Near
     * the middle of two bfloat16 they decide between them.
     */
    SUM(1, 2e-6),

    /** Gates by polynomials that are as short as bfloat16 allows: relative errors up to 3.3e-5, three of them at most. */
    SHORT_POLYNOMIALS(1, 1e-4),

    /**
     * A gradient between the two passes of an operation, stored as bfloat16 as if two operations had run: each of its values
     * errs by up to 2^-9 of itself before it is scaled and summed; four times that of the largest result.
     */
    STORED_BETWEEN_PASSES(1, 0x1p-7);

    private final int neighbours;
    private final double ofLargest;

    BFloat16Tolerance(int neighbours, double ofLargest) {
        this.neighbours = neighbours;
        this.ofLargest = ofLargest;
    }

    /** How many bfloat16 lie between a result in BF16 and the rounded one in F32 at most, that one included. */
    int neighbours() {
        return neighbours;
    }

    /** What float32 results may err by, as a fraction of the tensor's largest. Sums that cancel may err by it in BF16 too. */
    double ofLargest() {
        return ofLargest;
    }
}
