/**
 * The check that a device computes what it should: every operation against a float64 reference, gradients against
 * difference quotients, VeLU against files of reference vectors. Used by the tests and by {@code velu selftest}.
 *
 * <p>The references themselves live in {@code oracle}; speed is not measured here.
 */
package dev.velu.selftest;
