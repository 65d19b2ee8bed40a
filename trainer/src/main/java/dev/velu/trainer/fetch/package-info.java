/**
 * Brings published data sets onto this machine.
 *
 * <p>What lives here: the download over HTTP that goes on where it stopped, the check of what came, the unpacking of
 * archives that nobody vouches for, and the order of all that for a data set
 * ({@link dev.velu.trainer.fetch.DatasetFetch}).
 *
 * <p>What does not: which sets there are and how their files are read ({@link dev.velu.trainer.data}), and the command
 * line. Nothing is fetched unless it is asked for.
 */
package dev.velu.trainer.fetch;
