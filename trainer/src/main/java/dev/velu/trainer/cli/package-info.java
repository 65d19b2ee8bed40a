/**
 * The command line {@code velu}: one file per command; the options; and how results, wrong usage and failures are said. Exit status 0
 * is done, 1 failed, 2 wrong usage.
 *
 * <p>Nothing is computed here: a command turns its options into values, calls another package, and prints what it gives.
 */
package dev.velu.trainer.cli;
