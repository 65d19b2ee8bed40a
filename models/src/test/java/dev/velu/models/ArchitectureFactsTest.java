package dev.velu.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.velu.nn.Initializer;
import dev.velu.nn.Parameter;
import dev.velu.nn.Parameters;
import dev.velu.op.AdaptiveAvgPool2d;
import dev.velu.op.Attention;
import dev.velu.op.AvgPool2d;
import dev.velu.op.BatchNorm;
import dev.velu.op.Conv2d;
import dev.velu.op.Dropout;
import dev.velu.op.LayerNorm;
import dev.velu.op.MaxPool2d;
import dev.velu.op.NormalizeImage;
import dev.velu.op.PoolWindow;
import dev.velu.op.VeluParameters;
import dev.velu.tensor.Shape;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Compares every architecture with the facts of torchvision's, kept in a resource named like it; their form is in README.md there. */
class ArchitectureFactsTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    static Stream<Architecture> architectures() {
        return Architecture.all().stream();
    }

    @Test
    void architecturesHaveTorchvisionsNames() {
        assertThat(architectures())
                .extracting(Architecture::label)
                .containsExactly(
                        "vgg19", "vgg19_bn", "resnet50", "densenet121", "mobilenet_v2", "efficientnet_b3", "vit_b_16");
    }

    @ParameterizedTest
    @MethodSource("architectures")
    void totalsEqualTorchvision(Architecture architecture) throws IOException {
        JsonNode facts = facts(architecture);
        assertThat(architecture.defaultSize()).isEqualTo(facts.get("size").asInt());
        Network network = build(architecture, architecture.defaultSize(), false);
        assertThat(network.parameterCount()).isEqualTo(facts.get("params").asLong());
        assertThat(network.macsPerImage()).isEqualTo(facts.get("macs").asLong());
        Network small = build(architecture, 128, false);
        assertThat(small.parameterCount()).isEqualTo(facts.get("params_128").asLong());
        assertThat(small.macsPerImage()).isEqualTo(facts.get("macs_128").asLong());
    }

    @ParameterizedTest
    @MethodSource("architectures")
    void stateDictHasTorchvisionsKeysInOrderWithTheirFileShapes(Architecture architecture) throws IOException {
        Network network = build(architecture, architecture.defaultSize(), false);
        List<String> expected = new ArrayList<>();
        for (JsonNode fact : facts(architecture).get("parameters")) {
            expected.add(fact.get("key").asText() + " " + shape(fact.get("shape")) + " "
                    + fact.get("kind").asText());
        }
        List<String> actual = network.parameters().all().stream()
                .map(p -> p.name() + " " + p.fileShape() + " " + (p.trainable() ? "param" : "buffer"))
                .toList();
        assertThat(actual).containsExactlyElementsOf(expected);
    }

    @ParameterizedTest
    @MethodSource("architectures")
    void initialDistributionsEqualTorchvision(Architecture architecture) throws IOException {
        Network network = build(architecture, architecture.defaultSize(), false);
        for (JsonNode fact : facts(architecture).get("parameters")) {
            String key = fact.get("key").asText();
            Initializer actual = network.parameters().get(key).initializer();
            JsonNode init = fact.get("init");
            double[] expected = StreamSupport.stream(init.spliterator(), false)
                    .skip(1)
                    .mapToDouble(JsonNode::asDouble)
                    .toArray();
            assertThat(distribution(actual)).as(key).isEqualTo(init.get(0).asText());
            assertThat(constants(actual)).as(key).hasSameSizeAs(expected).satisfies(constants -> {
                for (int i = 0; i < expected.length; i++) {
                    assertThat(constants[i]).isCloseTo(expected[i], withinPercentage(1e-4));
                }
            });
        }
    }

    @ParameterizedTest
    @MethodSource("architectures")
    void everyLayerHasTorchvisionsAttributesShapeParametersAndMacs(Architecture architecture) throws IOException {
        Network network = build(architecture, architecture.defaultSize(), false);
        JsonNode layers = facts(architecture).get("layers");
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < layers.size(); i++) {
            boolean flattened = i + 1 < layers.size()
                    && layers.get(i + 1).get("type").asText().equals("flatten");
            String line = line(layers.get(i), flattened);
            if (line != null) {
                expected.add(line);
            }
        }
        List<String> actual = network.layers().stream()
                .map(layer -> line(layer, network.parameters()))
                .toList();
        assertThat(actual).containsExactlyElementsOf(expected);
    }

    @ParameterizedTest
    @MethodSource("architectures")
    void outputsOfModulesAndBlocksHaveTorchvisionsShapes(Architecture architecture) throws IOException {
        JsonNode facts = facts(architecture);
        requireStages(build(architecture, architecture.defaultSize(), false), facts.get("stages"));
        requireStages(build(architecture, 128, false), facts.get("stages_128"));
    }

    private static void requireStages(Network network, JsonNode facts) {
        Map<String, Shape> outputs = new HashMap<>();
        network.layers().forEach(layer -> outputs.put(layer.name(), layer.output()));
        network.stages().forEach(stage -> outputs.put(stage.name(), stage.output()));
        List<String> names = new ArrayList<>();
        for (JsonNode stage : facts) {
            String name = stage.get("name").asText();
            names.add(name);
            assertThat(outputs).containsKey(name);
            Shape output = outputs.get(name);
            Shape expected = shape(stage.get("shape"));
            // Where torchvision pools to one pixel and flattens, the networks here do both at once.
            boolean pooled = output.rank() == 2 && expected.rank() == 4 && expected.elements() == expected.size(3);
            assertThat(pooled ? Shape.of(expected.size(0), expected.size(3)) : expected)
                    .as(name)
                    .isEqualTo(output);
        }
        assertThat(names)
                .containsSubsequence(network.stages().stream().map(Layer::name).toList());
    }

    @ParameterizedTest
    @MethodSource("architectures")
    void activationSitesEqualTorchvisionAndVeluGoesToEveryOne(Architecture architecture) throws IOException {
        Network network = build(architecture, architecture.defaultSize(), true);
        List<ActivationSite> published = new ArrayList<>();
        List<ActivationSite> expected = new ArrayList<>();
        for (JsonNode site : facts(architecture).get("activation_sites")) {
            String path = site.get("path").asText();
            int call = site.get("call").asInt();
            Shape shape = shape(site.get("shape"));
            String label = site.get("activation").asText().toLowerCase(Locale.ROOT);
            published.add(new ActivationSite(path, call, shape, label));
            expected.add(new ActivationSite(path, call, shape, "velu"));
        }
        assertThat(build(architecture, architecture.defaultSize(), false).sites())
                .containsExactlyElementsOf(published);
        assertThat(network.sites()).containsExactlyElementsOf(expected);
        assertThat(network.parameters().count(Parameter.Role.ACTIVATION)).isEqualTo(expected.size());
        assertThat(network.parameterCount())
                .isEqualTo(facts(architecture).get("params").asLong());
    }

    private static Network build(Architecture architecture, int size, boolean velu) {
        NetworkSpec spec = new NetworkSpec(
                architecture,
                1000,
                size,
                velu ? VeluParameters.released() : null,
                NetworkSpec.Sites.ALL,
                NetworkSpec.Head.STANDARD,
                0.1f);
        return Network.build(spec, new Parameters(), 1, true, NormalizeImage.imageNet());
    }

    /** A distribution's name in the facts. */
    private static String distribution(Initializer initializer) {
        return switch (initializer) {
            case Initializer.Constant constant -> "constant";
            case Initializer.Normal normal -> "normal";
            case Initializer.Uniform uniform -> "uniform";
            case Initializer.TruncatedNormal normal -> "trunc_normal";
        };
    }

    /** A distribution's constants in the order of the facts. */
    private static double[] constants(Initializer initializer) {
        return switch (initializer) {
            case Initializer.Constant constant -> new double[] {constant.value()};
            case Initializer.Normal normal -> new double[] {normal.mean(), normal.std()};
            case Initializer.Uniform uniform -> new double[] {uniform.low(), uniform.high()};
            case Initializer.TruncatedNormal normal ->
                new double[] {normal.mean(), normal.std(), normal.low(), normal.high()};
        };
    }

    /** What is compared of a layer: name, type, attributes, output, trainable values, MACs. Null for what is none here. */
    private static String line(JsonNode fact, boolean flattened) {
        String path = fact.get("path").asText();
        String type = fact.get("type").asText();
        Shape output = shape(fact.get("shape"));
        long channels = output.size(-1);
        long macs = fact.get("macs").asLong();
        return switch (type) {
            case "Conv2d" -> {
                String attributes = "k" + fact.get("k") + " s" + fact.get("s") + " p" + fact.get("p") + " d"
                        + fact.get("d") + " g" + fact.get("g");
                long weights = fact.get("in").asLong()
                        / fact.get("g").asLong()
                        * fact.get("out").asLong()
                        * fact.get("k").get(0).asLong()
                        * fact.get("k").get(1).asLong();
                yield line(path, type, attributes, output, weights + bias(fact), macs);
            }
            case "BatchNorm2d" ->
                line(
                        path,
                        type,
                        "eps " + number(fact.get("eps")) + " momentum " + number(fact.get("momentum")),
                        output,
                        2 * channels,
                        macs);
            case "LayerNorm" -> line(path, type, "eps " + number(fact.get("eps")), output, 2 * channels, macs);
            case "Linear" -> line(path, type, "", output, weights(fact), macs);
            case "mha.in_proj" -> line(path + ".in_proj", "Linear", "", output, weights(fact), macs);
            case "mha.attention" ->
                line(
                        path + ".attention",
                        "Attention",
                        "heads " + fact.get("heads") + " scale " + number(fact.get("scale")),
                        output,
                        0,
                        macs);
            case "MaxPool2d", "AvgPool2d" ->
                line(path, type, "k" + fact.get("k") + " s" + fact.get("s") + " p" + fact.get("p"), output, 0, macs);
            case "AdaptiveAvgPool2d" ->
                flattened && output.size(1) == 1
                        ? line(path, "GlobalAvgPool", "", Shape.of(output.size(0), channels), 0, macs)
                        : line(path, type, fact.get("size").toString(), output, 0, macs);
            case "Dropout", "StochasticDepth" -> line(path, type, "p " + number(fact.get("p")), output, 0, macs);
            case "add" -> {
                String added = fact.get("inputs").get(1).asText();
                yield added.startsWith("param:")
                        ? line(added.substring(6), "TokenEmbedding", "", output, output.elements() + channels, macs)
                        : null;
            }
            case "ReLU", "ReLU6", "SiLU", "GELU", "Sigmoid" -> line(path, type, "", output, 0, macs);
            case "mul", "cat", "flatten", "permute", "expand", "index" -> null;
            default -> throw new AssertionError(path + " is of type " + type + ", which this test does not know");
        };
    }

    private static String line(Layer layer, Parameters parameters) {
        long channels = layer.output().size(-1);
        String attributes = switch (layer.operation()) {
            case Conv2d conv -> {
                Shape weight = parameters.get(layer.name() + ".weight").fileShape();
                yield "k" + pair(weight.size(2), weight.size(3)) + " s"
                        + pair(conv.strideHeight(), conv.strideWidth()) + " p"
                        + pair(conv.paddingHeight(), conv.paddingWidth()) + " d"
                        + pair(conv.dilationHeight(), conv.dilationWidth()) + " g" + conv.groups();
            }
            case BatchNorm norm -> "eps " + number(norm.eps()) + " momentum " + number(norm.momentum());
            case LayerNorm norm -> "eps " + number(norm.eps());
            case Attention attention ->
                "heads " + attention.heads() + " scale " + number(1 / Math.sqrt((double) channels / attention.heads()));
            case MaxPool2d pool -> window(pool.window());
            case AvgPool2d pool -> window(pool.window());
            case AdaptiveAvgPool2d pool -> pair(pool.outHeight(), pool.outWidth());
            case Dropout dropout -> "p " + number(dropout.probability());
            default -> "";
        };
        if (layer.operation() instanceof Dropout dropout) {
            assertThat(dropout.mode())
                    .as(layer.name())
                    .isEqualTo(layer.type().equals("Dropout") ? Dropout.Mode.ELEMENT : Dropout.Mode.ROW);
        }
        return line(layer.name(), layer.type(), attributes, layer.output(), layer.parameters(), layer.macs());
    }

    private static String line(String path, String type, String attributes, Shape output, long parameters, long macs) {
        return path + " " + type + " " + attributes + " " + output + " params " + parameters + " macs " + macs;
    }

    private static long weights(JsonNode fact) {
        return fact.get("in").asLong() * fact.get("out").asLong() + bias(fact);
    }

    private static long bias(JsonNode fact) {
        return fact.get("bias").asBoolean() ? fact.get("out").asLong() : 0;
    }

    private static String window(PoolWindow window) {
        return "k" + pair(window.kernelHeight(), window.kernelWidth()) + " s"
                + pair(window.strideHeight(), window.strideWidth()) + " p"
                + pair(window.paddingHeight(), window.paddingWidth());
    }

    private static String pair(long height, long width) {
        return "[" + height + "," + width + "]";
    }

    private static String number(JsonNode value) {
        return number(value.asDouble());
    }

    /** Six digits: the facts have ten, the operations are float32. */
    private static String number(double value) {
        return String.format(Locale.ROOT, "%.5e", value);
    }

    private static Shape shape(JsonNode sizes) {
        return Shape.of(StreamSupport.stream(sizes.spliterator(), false)
                .mapToLong(JsonNode::asLong)
                .toArray());
    }

    private static JsonNode facts(Architecture architecture) throws IOException {
        try (InputStream in = ArchitectureFactsTest.class.getResourceAsStream(architecture.label() + ".json")) {
            return JSON.readTree(in);
        }
    }
}
