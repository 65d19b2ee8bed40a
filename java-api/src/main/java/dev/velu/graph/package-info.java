/**
 * Define, then run: recording of operations, automatic differentiation, fusion, planning of memory, and the plan that runs as a flat
 * array of native calls.
 *
 * <p>The operations live in {@code dev.velu.op}; this package knows of them only what {@link dev.velu.graph.Operation} says.
 * Networks live in another module.
 */
package dev.velu.graph;
