/**
 * JMH benchmarks of the bindings, the kernels and whole steps, with OpenJDK's settings: three forks, and warm-up before every
 * measurement. {@code velu bench} compares faster, all contenders in turns within one run; this is for looking closer, with JMH's
 * profilers. Tables of results lie in {@code bench/results}.
 *
 * <pre>{@code
 * mvn -DskipTests package
 * export GOMP_SPINCOUNT=2000                               # as the launcher does
 * java -jar bench/target/velu-bench-*.jar -l               # lists the benchmarks
 * java -jar bench/target/velu-bench-*.jar CallBenchmark
 * java -jar bench/target/velu-bench-*.jar 'VeluBenchmark|VectorVeluBenchmark' -p shape=6272x512 -p constants=released
 * java -jar bench/target/velu-bench-*.jar StepBenchmark -prof gc     # gc.alloc.rate.norm: bytes that a step allocates
 *
 * # libtorch, with malloc tuned; without the variables as glibc does it
 * MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=17179869184 MALLOC_TOP_PAD_=67108864 \
 *     java -jar bench/target/velu-bench-*.jar LibtorchBenchmark
 * }</pre>
 */
package dev.velu.bench;
