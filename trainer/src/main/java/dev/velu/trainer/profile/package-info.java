/**
 * What a profile of training steps tells: where their time went by operation, layer and phase, beside what the device can do at
 * best, and the same as a trace.
 *
 * <p>The times are taken in {@code dev.velu.graph} and {@code dev.velu.models}; tables are printed in
 * {@code dev.velu.trainer.cli}.
 */
package dev.velu.trainer.profile;
