/**
 * The check that a device computes what it should: every operation against a float64 reference, gradients against
 * difference quotients, VeLU against files of reference vectors; and how fast it does so, as a share of what the device
 * can. Used by the tests and by {@code velu selftest}.
 *
 * <p>The references themselves live in {@code oracle}.
 */
package dev.velu.selftest;
