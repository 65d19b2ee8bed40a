package dev.velu.models.libtorch;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.GradientCollector;
import com.fasterxml.jackson.databind.JsonNode;
import dev.velu.op.ActivationFunction;
import dev.velu.op.Pointwise;
import dev.velu.op.VeluParameters;
import dev.velu.selftest.oracle.PhiloxOracle;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * One of torchvision's networks in training, computed by libtorch in float64 from the layers that the network's facts list.
 *
 * <p>Dropout and stochastic depth keep what Philox says for their seed, the step and the number of their layer among the random
 * ones, counted from 0; elements are counted in the order {@code [N, H, W, C]}.
 *
 * <p>At the kinks of ReLU and ReLU6 the gradient jumps, so a value within rounding of a kink makes two right gradients differ. On
 * which side of a kink a value lies is therefore taken from the network under test; {@link #kinkDistance} says how far from
 * the kink that was wrong.
 */
public final class LibtorchNetwork {
    private final Libtorch torch;
    private final JsonNode facts;
    private final ActivationFunction activation;
    private final long seed;
    private final long step;
    private final Map<String, NDArray> tensors;
    private final Map<String, NDArray> activated;
    private final Set<String> sites = new HashSet<>();
    private final Map<String, NDArray> spread = new HashMap<>();
    private final List<NDArray> w2 = new ArrayList<>();
    private int randomLayers;
    private double kinkDistance;
    private long batch;

    /**
     * Loss and logits of a batch.
     *
     * @param w2 sum over the VeLU sites
     */
    public record Output(NDArray logits, NDArray crossEntropy, NDArray w2) {}

    /**
     * The gradient of a parameter.
     *
     * @param magnitude what a deviation is relative to: for a gradient that is the sum of one term per pixel, and cancels where
     *     batch norm follows, the sum of their absolute values
     */
    public record Gradient(NDArray value, NDArray magnitude) {}

    /**
     * @param facts of the network
     * @param activation the function at the activation sites
     * @param tensors parameters, lambdas and buffers by name, in torch's order of axes, float64; parameters want gradients.
     *     Running statistics are updated
     * @param activated outputs of the network under test at the sites with kinks, {@code [N, C, H, W]} or {@code [N, C]}, by
     *     path and call joined with a dot
     */
    public LibtorchNetwork(
            Libtorch torch,
            JsonNode facts,
            ActivationFunction activation,
            long seed,
            long step,
            Map<String, NDArray> tensors,
            Map<String, NDArray> activated) {
        this.torch = torch;
        this.facts = facts;
        this.activation = activation;
        this.seed = seed;
        this.step = step;
        this.tensors = tensors;
        this.activated = activated;
        facts.get("activation_sites")
                .forEach(site -> sites.add(
                        site(site.get("path").asText(), site.path("call").asInt(0))));
    }

    /**
     * Runs forward and backward pass once.
     *
     * @param images {@code [N, C, H, W]}
     */
    public Output run(NDArray images, int[] labels, double w2Weight) {
        try (GradientCollector gradients = torch.collectGradients()) {
            NDArray logits = forward(images);
            NDArray crossEntropy = torch.crossEntropy(logits, labels, 0);
            NDArray distances = torch.zero();
            for (NDArray distance : w2) {
                distances = distances.add(distance);
            }
            gradients.backward(crossEntropy.add(Libtorch.times(distances, w2Weight)));
            return new Output(logits, crossEntropy, distances);
        }
    }

    /** The gradient after a run. */
    public Gradient gradient(String name) {
        NDArray terms = spread.get(name);
        if (terms == null) {
            NDArray gradient = tensor(name).getGradient();
            return new Gradient(gradient, gradient);
        }
        NDArray gradient = terms.getGradient();
        int[] axes = tensor(name).isScalar()
                ? IntStream.range(0, gradient.getShape().dimension()).toArray()
                : new int[] {0, 2, 3};
        return new Gradient(gradient.sum(axes), gradient.abs().sum(axes));
    }

    private NDArray forward(NDArray images) {
        batch = images.getShape().get(0);
        List<NDArray> outputs = new ArrayList<>();
        for (JsonNode layer : facts.get("layers")) {
            List<NDArray> inputs = new ArrayList<>();
            for (JsonNode input : layer.get("inputs")) {
                if (input.isInt()) {
                    inputs.add(outputs.get(input.asInt()));
                } else {
                    String name = input.asText();
                    inputs.add(name.equals("input") ? images : tensor(name.substring("param:".length())));
                }
            }
            outputs.add(apply(layer, inputs));
        }
        return outputs.getLast();
    }

    private NDArray apply(JsonNode layer, List<NDArray> inputs) {
        NDArray x = inputs.getFirst();
        String path = layer.get("path").asText();
        return switch (layer.get("type").asText()) {
            case "Conv2d" -> {
                NDArray weight = tensor(path + ".weight");
                int groups = layer.get("g").asInt();
                NDArray y = groups > 1 && groups == weight.getShape().get(0)
                        ? Libtorch.depthwiseConv2d(x, weight, longs(layer, "s"), longs(layer, "p"))
                        : Libtorch.conv2d(x, weight, longs(layer, "s"), longs(layer, "p"), longs(layer, "d"), groups);
                yield layer.get("bias").asBoolean() ? y.add(spread(path + ".bias", y)) : y;
            }
            case "BatchNorm2d" -> {
                NDArray weight = tensor(path + ".weight");
                NDArray normalized = Libtorch.batchNorm(
                        x,
                        weight.onesLike(),
                        weight.zerosLike(),
                        tensor(path + ".running_mean"),
                        tensor(path + ".running_var"),
                        layer.get("momentum").asDouble(),
                        layer.get("eps").asDouble());
                yield normalized.mul(spread(path + ".weight", x)).add(spread(path + ".bias", x));
            }
            case "LayerNorm" ->
                Libtorch.layerNorm(
                        x,
                        tensor(path + ".weight"),
                        tensor(path + ".bias"),
                        layer.get("eps").asDouble());
            case "Linear" -> Libtorch.linear(x, tensor(path + ".weight"), tensor(path + ".bias"));
            case "mha.in_proj" -> Libtorch.linear(x, tensor(path + ".in_proj_weight"), tensor(path + ".in_proj_bias"));
            case "mha.attention" ->
                Libtorch.attention(
                        x, layer.get("heads").asInt(), layer.get("scale").asDouble());
            case "ReLU", "ReLU6", "SiLU", "GELU", "Sigmoid" -> activate(layer, path, x);
            case "MaxPool2d" -> Libtorch.maxPool2d(x, longs(layer, "k"), longs(layer, "s"), longs(layer, "p"));
            case "AvgPool2d" -> Libtorch.avgPool2d(x, longs(layer, "k"), longs(layer, "s"), longs(layer, "p"), true);
            case "AdaptiveAvgPool2d" -> {
                long[] size = longs(layer, "size");
                yield Libtorch.adaptiveAvgPool2d(x, size[0], size[1]);
            }
            case "Dropout" -> dropout(x, layer.get("p").asDouble(), x.getShape().getShape());
            case "StochasticDepth" ->
                dropout(x, layer.get("p").asDouble(), x.getShape().get(0), 1, 1, 1);
            case "add" -> x.add(inputs.get(1));
            case "mul" -> x.mul(inputs.get(1));
            case "cat" -> Libtorch.cat(layer.get("dim").asInt(), inputs.toArray(NDArray[]::new));
            case "flatten" -> x.flatten(layer.get("start_dim").asInt(), -1);
            case "permute" ->
                x.transpose(Arrays.stream(longs(layer, "dims"))
                        .mapToInt(Math::toIntExact)
                        .toArray());
            case "expand" ->
                x.broadcast(batch, x.getShape().get(1), x.getShape().get(2));
            case "index" ->
                x.swapAxes(0, layer.get("dim").asInt()).get(layer.get("index").asLong());
            default -> throw new IllegalArgumentException("layer " + layer + " is of an unknown type");
        };
    }

    private NDArray activate(JsonNode layer, String path, NDArray x) {
        String site = site(path, layer.path("call").asInt(0));
        if (!sites.contains(site)) {
            return Libtorch.activation(layer.get("type").asText().toLowerCase(Locale.ROOT), x);
        }
        return switch (activation) {
            case Pointwise function ->
                switch (function) {
                    case RELU -> kinked(site, x, Double.POSITIVE_INFINITY);
                    case RELU6 -> kinked(site, x, 6);
                    default -> Libtorch.activation(function.label(), x);
                };
            case VeluParameters velu -> {
                int channelAxis =
                        x.getShape().dimension() == 4 ? 1 : x.getShape().dimension() - 1;
                LibtorchVelu.Output output = new LibtorchVelu(velu).apply(x, channelAxis, spread(site + ".lambda", x));
                w2.add(output.w2());
                yield output.y();
            }
        };
    }

    /** {@code min(max(x, 0), upper)} with the sides of the network under test. */
    private NDArray kinked(String site, NDArray x, double upper) {
        NDArray other = activated.get(site);
        if (other == null) {
            throw new NoSuchElementException("the output of the network under test at " + site + " is not given");
        }
        NDArray above = other.gte(upper).toType(DataType.FLOAT64, false);
        NDArray inside = other.gt(0).toType(DataType.FLOAT64, false).sub(above);
        NDArray y = x.mul(inside);
        if (upper < Double.POSITIVE_INFINITY) {
            y = y.add(Libtorch.times(above, upper));
        }
        NDArray held = x.stopGradient();
        double distance =
                y.stopGradient().sub(Libtorch.clip(held, 0, upper)).abs().max().getDouble();
        double size = Math.sqrt(held.square().mean().getDouble());
        kinkDistance = Math.max(kinkDistance, distance / size);
        return y;
    }

    /**
     * Largest distance from a kink, after a run, of a value that the network under test has on its other side; relative to the
     * root of the mean square of the values there.
     */
    public double kinkDistance() {
        return kinkDistance;
    }

    /**
     * Keeps each element of a mask and scales it by {@code 1 / (1 - probability)}, or makes it 0.
     *
     * @param mask shape that broadcasts to x's; of rank 2, or with one element per image
     */
    private NDArray dropout(NDArray x, double probability, long... mask) {
        int count = Math.toIntExact(Arrays.stream(mask).reduce(1, Math::multiplyExact));
        boolean[] kept = PhiloxOracle.kept(seed, randomLayers++, step, count, (float) probability);
        double[] factors = new double[count];
        Arrays.setAll(factors, i -> kept[i] ? 1 / (1 - probability) : 0);
        return x.mul(torch.constant(factors, mask));
    }

    /**
     * A parameter once for every element of y, so that each element's term of its gradient can be seen.
     *
     * @param name of a scalar, or of one value per channel of {@code [N, C, H, W]}
     */
    private NDArray spread(String name, NDArray y) {
        NDArray value = tensor(name).stopGradient();
        NDArray terms = torch.variable(
                (value.isScalar() ? value : value.reshape(1, value.size(), 1, 1)).broadcast(y.getShape()));
        spread.put(name, terms);
        return terms;
    }

    private NDArray tensor(String name) {
        NDArray tensor = tensors.get(name);
        if (tensor == null) {
            throw new NoSuchElementException("the network has no tensor " + name);
        }
        return tensor;
    }

    private static String site(String path, int call) {
        return path + "." + call;
    }

    private static long[] longs(JsonNode layer, String field) {
        JsonNode values = layer.get(field);
        return IntStream.range(0, values.size())
                .mapToLong(i -> values.get(i).asLong())
                .toArray();
    }
}
