/**
 * The numbers of chance: streams that are a function of a seed and of what they are for ({@link
 * dev.velu.trainer.random.SplitMix}), never of time or of the number of threads, and what is drawn from them.
 */
package dev.velu.trainer.random;
