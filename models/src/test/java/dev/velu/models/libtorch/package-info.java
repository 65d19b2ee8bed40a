/**
 * The networks and their operations computed by libtorch in float64, for tests to compare with: an interpreter of the layers that the
 * facts of a network list. It shares no code with the graph.
 */
package dev.velu.models.libtorch;
