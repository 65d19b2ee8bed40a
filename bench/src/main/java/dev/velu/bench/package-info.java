/** JMH benchmarks of the bindings and the kernels. Tables of results lie in {@code bench/results}. */
package dev.velu.bench;
