/**
 * Float64 references of every operation: the formulas of their definitions in the plainest loops, one class per
 * operation.
 *
 * <p>Nothing here shares code with the native library; that is what makes agreement mean something. Arrays are dense
 * and row-major in the layouts of {@code velu.h}. Where an operation sums many terms, a reference also gives the
 * magnitude of the sum, which is the sum of the terms' absolute values: the scale against which rounding errors are
 * judged.
 */
package dev.velu.selftest.oracle;
