package dev.velu.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.velu.nn.Initializer;
import dev.velu.nn.Parameter;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.op.VeluParameters;
import dev.velu.tensor.Shape;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Compares every architecture with the facts of torchvision's, kept in a resource of the same name. */
class ArchitectureFactsTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    static Stream<Architecture> architectures() {
        return Architecture.all().stream();
    }

    @ParameterizedTest
    @MethodSource("architectures")
    void totalsEqualTorchvision(Architecture architecture) throws IOException {
        JsonNode facts = facts(architecture);
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
                .map(p -> p.name() + " " + fileShape(p) + " " + (p.trainable() ? "param" : "buffer"))
                .toList();
        assertThat(actual).containsExactlyElementsOf(expected);
    }

    @ParameterizedTest
    @MethodSource("architectures")
    void initialDistributionsEqualTorchvision(Architecture architecture) throws IOException {
        Network network = build(architecture, architecture.defaultSize(), false);
        for (JsonNode fact : facts(architecture).get("parameters")) {
            JsonNode init = fact.get("init");
            if (init == null || init.isNull()) {
                continue;
            }
            String key = fact.get("key").asText();
            Initializer actual = network.parameters().get(key).initializer();
            switch (init.get(0).asText()) {
                case "constant" ->
                    assertThat(actual)
                            .as(key)
                            .isEqualTo(new Initializer.Constant(init.get(1).asDouble()));
                case "normal" -> {
                    Initializer.Normal normal = (Initializer.Normal) actual;
                    assertThat((double) normal.mean())
                            .as(key)
                            .isEqualTo(init.get(1).asDouble());
                    assertThat(normal.std() / init.get(2).asDouble()).as(key).isEqualTo(1, within(1e-6));
                }
                case "uniform" -> {
                    Initializer.Uniform uniform = (Initializer.Uniform) actual;
                    assertThat(uniform.low() / init.get(1).asDouble()).as(key).isEqualTo(1, within(1e-6));
                    assertThat(uniform.high() / init.get(2).asDouble()).as(key).isEqualTo(1, within(1e-6));
                }
                default ->
                    throw new AssertionError(key + " has an initial distribution this test does not know: " + init);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("architectures")
    void stageShapesEqualTorchvision(Architecture architecture) throws IOException {
        JsonNode facts = facts(architecture);
        assertThat(stages(build(architecture, architecture.defaultSize(), false)))
                .containsExactlyElementsOf(stages(facts.get("stages")));
        assertThat(stages(build(architecture, 128, false))).containsExactlyElementsOf(stages(facts.get("stages_128")));
    }

    @ParameterizedTest
    @MethodSource("architectures")
    void activationSitesEqualTorchvisionAndVeluGoesToEveryOne(Architecture architecture) throws IOException {
        Network network = build(architecture, architecture.defaultSize(), true);
        List<ActivationSite> expected = new ArrayList<>();
        for (JsonNode site : facts(architecture).get("activation_sites")) {
            expected.add(new ActivationSite(
                    site.get("path").asText(), site.get("call").asInt(), shape(site.get("shape")), "velu"));
        }
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

    private static List<String> stages(Network network) {
        return network.stages().stream().map(s -> s.name() + " " + s.output()).toList();
    }

    private static List<String> stages(JsonNode facts) {
        return StreamSupport.stream(facts.spliterator(), false)
                .map(s -> s.get("name").asText() + " " + shape(s.get("shape")))
                .toList();
    }

    private static Shape fileShape(Parameter parameter) {
        Shape shape = parameter.type().shape();
        return parameter.layout() == Parameter.Layout.CONVOLUTION
                ? Shape.of(shape.size(0), shape.size(3), shape.size(1), shape.size(2))
                : shape;
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
