package dev.velu.trainer.profile;

import java.util.List;

/**
 * One native call of the step.
 *
 * @param operation the C function without the leading {@code velu_}
 * @param layer module it belongs to; empty for the network itself
 * @param phase forward, backward or optimizer
 * @param inputs data type and shape of each operand, null where absent
 * @param outputs as inputs
 * @param bytes that must be read and written at least: every operand once, and again for a second pass that needs the result
 *     of the first; scratch memory does not count
 * @param flops of a convolution or matrix product; 0 for others
 * @param milliseconds median over the steps
 * @param minMilliseconds fastest
 * @param maxMilliseconds slowest
 * @param limitShare the least time that the limits allow over the median
 */
public record CallLine(
        String operation,
        String layer,
        String phase,
        String dtype,
        List<String> inputs,
        List<String> outputs,
        long bytes,
        long flops,
        double milliseconds,
        double minMilliseconds,
        double maxMilliseconds,
        double limitShare) {}
