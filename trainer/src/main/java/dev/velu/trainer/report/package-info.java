/**
 * Pages about training: {@code report.html} of a run and of a comparison, each one file that opens without a network, and the
 * files beside the metrics that they are made from: {@code environment.json}, {@code evaluation.json}, {@code activations.jsonl}.
 *
 * <p>The pages themselves (HTML, CSS, JavaScript) are resources of this package; Java gives them one JSON document each. Charts
 * are drawn by Chart.js (MIT licence), which every page contains.
 */
package dev.velu.trainer.report;
