package dev.velu.selftest;

/**
 * Something that a device or an implementation of an operation could not be asked, and why.
 *
 * @param what e.g. {@code cuDNN convolutions}
 * @param reason in one line
 */
public record NotRun(String what, String reason) {}
