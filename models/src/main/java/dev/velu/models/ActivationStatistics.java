package dev.velu.models;

import dev.velu.device.Context;
import dev.velu.graph.Plan;
import dev.velu.graph.Value;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * What the activation sites of a network do to a batch: lambda, moments and W2 of VeLU, adaptive scale, dead units and
 * saturation, see {@link SiteStatistics}. The network is recorded once more, for inference, with its operations apart and on
 * the same parameters; it costs a forward pass and reads every site's input and output once more, so it is run now and then.
 *
 * <p>Used by one thread at a time. Its memory belongs to the context.
 */
public final class ActivationStatistics implements AutoCloseable {
    private static final long FLOAT = ValueLayout.JAVA_FLOAT.byteSize();
    private static final long LONG = ValueLayout.JAVA_LONG.byteSize();

    private final Context context;
    private final Plan plan;
    private final Network network;
    private final List<Value> lambdas;

    /**
     * Plans the measurement.
     *
     * @param parameters of a network of this spec, with memory on the context
     * @param batch images in a batch, positive
     * @throws dev.velu.device.VeluException if memory is exhausted; says how much the plan needs
     */
    public ActivationStatistics(
            NetworkSpec spec, Parameters parameters, int batch, NormalizeImage normalization, Context context) {
        this.context = context;
        network = Network.measured(spec, parameters, batch, normalization);
        lambdas = lambdas(network);
        plan = Plan.of(network.graph(), parameters, context);
    }

    /** The lambda of every site, null for functions without one. */
    private static List<Value> lambdas(Network network) {
        List<Value> lambdas = new ArrayList<>();
        network.graph().nodes().stream()
                .filter(node -> node.operation() instanceof dev.velu.op.ActivationStatistics)
                .forEach(node -> lambdas.add(node.input(2)));
        return lambdas;
    }

    /**
     * Measures one batch with the parameters as they are now.
     *
     * @param images uint8 {@code [N, S, S, 3]}, host memory
     * @return the sites in execution order
     * @throws IllegalArgumentException if images are of another size
     * @throws IllegalStateException if this or the context is closed
     * @throws dev.velu.device.VeluException if an operation fails
     */
    public List<SiteStatistics> measure(MemorySegment images) {
        context.upload(images, plan.input(Network.IMAGES));
        plan.run();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment results = arena.allocate(plan.resultMemory().byteSize(), LONG);
            context.download(plan.resultMemory(), results);
            List<SiteStatistics> measured = new ArrayList<>();
            for (int i = 0; i < network.sites().size(); i++) {
                measured.add(read(network.sites().get(i), lambda(lambdas.get(i), arena), results));
            }
            return List.copyOf(measured);
        }
    }

    private double lambda(Value lambda, Arena arena) {
        if (lambda == null) {
            return 1;
        }
        MemorySegment host = arena.allocate(ValueLayout.JAVA_FLOAT);
        context.download(network.parameters().segment(lambda.parameter()), host);
        return host.get(ValueLayout.JAVA_FLOAT, 0);
    }

    private SiteStatistics read(ActivationSite site, double lambda, MemorySegment results) {
        String name = site.path() + "." + site.call();
        long values = plan.resultOffset(Network.valuesOf(name));
        long counts = plan.resultOffset(Network.countsOf(name));
        boolean isVelu = network.graph().results().stream()
                .anyMatch(result -> result.name().equals(Network.momentsOf(name)));
        long w2 = isVelu ? plan.resultOffset(Network.momentsOf(name)) + 2 * FLOAT : values + 2 * FLOAT;
        long elements = site.shape().elements();
        return new SiteStatistics(
                name,
                site.activation(),
                lambda,
                results.get(ValueLayout.JAVA_FLOAT, w2),
                results.get(ValueLayout.JAVA_FLOAT, values),
                results.get(ValueLayout.JAVA_FLOAT, values + FLOAT),
                results.get(ValueLayout.JAVA_FLOAT, values + 3 * FLOAT),
                results.get(ValueLayout.JAVA_FLOAT, values + 4 * FLOAT),
                results.get(ValueLayout.JAVA_FLOAT, values + 5 * FLOAT),
                results.get(ValueLayout.JAVA_LONG, counts),
                site.shape().size(-1),
                (double) results.get(ValueLayout.JAVA_LONG, counts + LONG) / elements,
                elements);
    }

    @Override
    public void close() {
        plan.close();
    }
}
