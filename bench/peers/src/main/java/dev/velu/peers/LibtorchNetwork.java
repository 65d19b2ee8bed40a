package dev.velu.peers;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * The forward pass of one of torchvision's networks in training, computed by libtorch from the layers that the network's facts list.
 * A tensor is let go when the last layer that reads it is done, so that only libtorch decides what is kept for the gradients.
 */
final class LibtorchNetwork {
    private final Libtorch torch;
    private final List<Step> steps = new ArrayList<>();
    private final Set<String> sites = new HashSet<>();
    private final String activation;
    private final LibtorchVelu velu;
    private long batch;

    /**
     * One layer.
     *
     * @param dead positions of outputs that no later layer reads
     */
    private record Step(JsonNode layer, String type, String path, List<Integer> dead) {}

    /**
     * What a forward pass gives.
     *
     * @param w2 sum over the VeLU sites; null if there are none
     */
    record Output(NDArray logits, NDArray w2) {}

    /**
     * @param network as on the command line, e.g. {@code resnet50}
     * @param activation label of the function at the activation sites
     * @param velu its constants; null for other functions
     * @throws IllegalArgumentException for an unknown network or function
     */
    LibtorchNetwork(Libtorch torch, String network, String activation, VeluConstants velu) {
        this.torch = torch;
        this.activation = activation;
        boolean isVelu = activation.equals("velu");
        if (isVelu != (velu != null)) {
            throw new IllegalArgumentException(
                    "activation '" + activation + (isVelu ? "' needs" : "' does not take") + " the constants of VeLU");
        }
        this.velu = isVelu ? new LibtorchVelu(torch, velu) : null;
        JsonNode facts = facts(network);
        for (JsonNode site : facts.get("activation_sites")) {
            sites.add(site(site.get("path").asText(), site.path("call").asInt()));
        }
        plan(facts.get("layers"));
    }

    private static JsonNode facts(String network) {
        String resource = network + ".json";
        try (InputStream in = LibtorchNetwork.class.getResourceAsStream(resource)) {
            if (in == null || !network.matches("[a-z0-9_]+")) {
                throw new IllegalArgumentException("network '" + network + "' is unknown");
            }
            return new ObjectMapper().readTree(in);
        } catch (IOException e) {
            throw new IllegalStateException("the facts of " + network + " cannot be read", e);
        }
    }

    private void plan(JsonNode layers) {
        int[] lastReader = new int[layers.size()];
        for (int i = 0; i < layers.size(); i++) {
            lastReader[i] = i;
            for (JsonNode input : layers.get(i).get("inputs")) {
                if (input.isInt()) {
                    lastReader[input.asInt()] = i;
                }
            }
        }
        for (int i = 0; i < layers.size(); i++) {
            List<Integer> dead = new ArrayList<>();
            for (int earlier = 0; earlier < i; earlier++) {
                if (lastReader[earlier] == i) {
                    dead.add(earlier);
                }
            }
            JsonNode layer = layers.get(i);
            steps.add(new Step(
                    layer, layer.get("type").asText(), layer.get("path").asText(), dead));
        }
    }

    /**
     * Computes the logits.
     *
     * @param images {@code [N, 3, S, S]}
     * @param tensors parameters and buffers by name
     * @param owner of the logits and of what is kept meanwhile
     */
    Output forward(NDArray images, Map<String, NDArray> tensors, NDManager owner) {
        batch = images.getShape().get(0);
        List<NDArray> outputs = new ArrayList<>();
        List<NDArray> w2 = new ArrayList<>();
        for (Step step : steps) {
            try (NDManager layer = owner.newSubManager()) {
                List<NDArray> inputs = new ArrayList<>();
                for (JsonNode input : step.layer().get("inputs")) {
                    NDArray value = input.isInt()
                            ? outputs.get(input.asInt())
                            : input.asText().equals("input")
                                    ? images
                                    : tensor(tensors, input.asText().substring("param:".length()));
                    // What the layer computes on its way belongs to the layer.
                    value.tempAttach(layer);
                    inputs.add(value);
                }
                NDArray output = apply(step, inputs, tensors, w2);
                output.attach(owner);
                w2.forEach(distance -> distance.attach(owner));
                outputs.add(output);
            }
            for (int dead : step.dead()) {
                outputs.get(dead).close();
            }
        }
        NDArray distances = null;
        for (NDArray distance : w2) {
            distances = distances == null ? distance : distances.add(distance);
        }
        return new Output(outputs.getLast(), distances);
    }

    private NDArray apply(Step step, List<NDArray> inputs, Map<String, NDArray> tensors, List<NDArray> w2) {
        JsonNode layer = step.layer();
        String path = step.path();
        NDArray x = inputs.getFirst();
        return switch (step.type()) {
            case "Conv2d" ->
                Libtorch.conv2d(
                        x,
                        tensor(tensors, path + ".weight"),
                        layer.get("bias").asBoolean() ? tensor(tensors, path + ".bias") : null,
                        Libtorch.shape(layer.get("s")),
                        Libtorch.shape(layer.get("p")),
                        Libtorch.shape(layer.get("d")),
                        layer.get("g").asInt());
            case "BatchNorm2d" ->
                Libtorch.batchNorm(
                        x,
                        tensor(tensors, path + ".weight"),
                        tensor(tensors, path + ".bias"),
                        tensor(tensors, path + ".running_mean"),
                        tensor(tensors, path + ".running_var"),
                        layer.get("momentum").asDouble(),
                        layer.get("eps").asDouble());
            case "LayerNorm" ->
                Libtorch.layerNorm(
                        x,
                        tensor(tensors, path + ".weight"),
                        tensor(tensors, path + ".bias"),
                        layer.get("eps").asDouble());
            case "Linear" -> Libtorch.linear(x, tensor(tensors, path + ".weight"), tensor(tensors, path + ".bias"));
            case "mha.in_proj" ->
                Libtorch.linear(x, tensor(tensors, path + ".in_proj_weight"), tensor(tensors, path + ".in_proj_bias"));
            case "mha.attention" ->
                torch.attention(
                        x, layer.get("heads").asInt(), layer.get("scale").asDouble());
            case "ReLU", "ReLU6", "SiLU", "GELU", "Sigmoid" -> activate(step, x, tensors, w2);
            case "MaxPool2d" ->
                Libtorch.maxPool2d(
                        x,
                        Libtorch.shape(layer.get("k")),
                        Libtorch.shape(layer.get("s")),
                        Libtorch.shape(layer.get("p")));
            case "AvgPool2d" ->
                Libtorch.avgPool2d(
                        x,
                        Libtorch.shape(layer.get("k")),
                        Libtorch.shape(layer.get("s")),
                        Libtorch.shape(layer.get("p")));
            case "AdaptiveAvgPool2d" -> Libtorch.adaptiveAvgPool2d(x, Libtorch.shape(layer.get("size")));
            case "Dropout" -> Libtorch.dropout(x, layer.get("p").asDouble());
            case "StochasticDepth" -> {
                NDArray rows = x.getManager().ones(new Shape(x.getShape().get(0), 1, 1, 1));
                yield x.mul(Libtorch.dropout(rows, layer.get("p").asDouble()));
            }
            case "add" -> x.add(inputs.get(1));
            case "mul" -> x.mul(inputs.get(1));
            case "cat" -> Libtorch.cat(layer.get("dim").asInt(), inputs.toArray(NDArray[]::new));
            case "flatten" -> x.flatten(layer.get("start_dim").asInt(), -1);
            case "permute" -> {
                int[] dims = new int[layer.get("dims").size()];
                for (int i = 0; i < dims.length; i++) {
                    dims[i] = layer.get("dims").get(i).asInt();
                }
                yield x.transpose(dims);
            }
            case "expand" ->
                x.broadcast(batch, x.getShape().get(1), x.getShape().get(2));
            case "index" ->
                x.swapAxes(0, layer.get("dim").asInt()).get(layer.get("index").asLong());
            default -> throw new IllegalStateException("layer " + layer + " is of an unknown type");
        };
    }

    private NDArray activate(Step step, NDArray x, Map<String, NDArray> tensors, List<NDArray> w2) {
        String site = site(step.path(), step.layer().path("call").asInt());
        if (!sites.contains(site)) {
            return torch.activation(step.type().toLowerCase(Locale.ROOT), x);
        }
        if (velu == null) {
            return torch.activation(activation, x);
        }
        int channels = x.getShape().dimension() == 4 ? 1 : x.getShape().dimension() - 1;
        LibtorchVelu.Output output = velu.apply(x, channels, tensor(tensors, site + ".lambda"));
        w2.add(output.w2());
        return output.y();
    }

    private static String site(String path, int call) {
        return path + "." + call;
    }

    private static NDArray tensor(Map<String, NDArray> tensors, String name) {
        NDArray tensor = tensors.get(name);
        if (tensor == null) {
            throw new IllegalArgumentException("the network's tensor " + name + " is not given");
        }
        return tensor;
    }
}
