/**
 * Comparisons: a grid of networks, activation functions, data sets and seeds ({@link dev.velu.trainer.compare.Grid}), whose cells are
 * trained one after the other, each in a process of its own ({@link dev.velu.trainer.compare.CellProcess}), and resumed where they
 * stopped ({@link dev.velu.trainer.compare.ComparisonRun}); tables and tests of what they gave
 * ({@link dev.velu.trainer.compare.ComparisonSummary}).
 *
 * <p>What a cell does is a {@link dev.velu.trainer.run.TrainingRun}; the page to look at is made in {@code dev.velu.trainer.report}.
 */
package dev.velu.trainer.compare;
