package dev.velu.selftest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class VectorCasesTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    Path folder;

    static List<Isa> instructionSets() {
        return SelfTest.instructionSets(Device.cpu());
    }

    private static ObjectNode params(
            double alpha, double gamma, double mu, double eps, String statistic, double lambda) {
        return JSON.createObjectNode()
                .put("alpha", alpha)
                .put("beta1", 0.5)
                .put("beta2", 0.25)
                .put("gamma", gamma)
                .put("mu", mu)
                .put("eps", eps)
                .put("statistic", statistic)
                .put("lambda", lambda);
    }

    private static ObjectNode vectorCase(String name, int rows, int channels, ObjectNode params) {
        ObjectNode node =
                JSON.createObjectNode().put("name", name).put("rows", rows).put("channels", channels);
        node.set("params", params);
        return node.put("w2_weight", 0);
    }

    private static void array(ObjectNode node, String field, double... values) {
        ArrayNode list = node.putArray(field);
        for (double value : values) {
            list.add(value);
        }
    }

    private static void moments(ObjectNode node, double mean, double std) {
        node.put("activation_mean", mean).put("activation_std", std).put("w2", mean * mean + (std - 1) * (std - 1));
    }

    /** alpha = 0 and gamma = 0 make every gate 1/2 and every scale 1: y = lambda x / 2. */
    private static ObjectNode halving() {
        ObjectNode node = vectorCase("halving", 2, 2, params(0, 0, 0.5, 1e-6, "std", 3));
        array(node, "x", 2, -4, 6, 8);
        array(node, "dy", 1, 2, -1, 0.5);
        array(node, "y", 3, -6, 9, 12);
        // A is 1, -2, 3, 4.
        moments(node, 1.5, Math.sqrt((0.25 + 12.25 + 2.25 + 6.25) / 4));
        array(node, "dx", 1.5, 3, -1.5, 0.75);
        array(node, "dx_magnitude", 1.5, 3, 1.5, 0.75);
        return node.put("dlambda", 1 - 4 - 3 + 2).put("dlambda_magnitude", 1 + 4 + 3 + 2);
    }

    /** alpha = 0 and one channel: A = x/2 (1 + gamma tanh(mu / sqrt(x^2 + eps))), a function of one variable. */
    private static ObjectNode oneChannel() {
        double gamma = 0.5;
        double mu = 2;
        double eps = 0.25;
        double x = 1.5;
        ObjectNode node = vectorCase("one channel", 1, 1, params(0, gamma, mu, eps, "inverse_rms", 1));
        double root = Math.sqrt(x * x + eps);
        double tanh = Math.tanh(mu / root);
        double activation = x / 2 * (1 + gamma * tanh);
        double through = -x / 2 * gamma * (1 - tanh * tanh) * mu * x / (root * root * root);
        array(node, "x", x);
        array(node, "dy", 1);
        array(node, "y", activation);
        moments(node, activation, 0);
        array(node, "dx", (1 + gamma * tanh) / 2 + through);
        array(node, "dx_magnitude", (1 + gamma * tanh) / 2 - through);
        return node.put("dlambda", activation).put("dlambda_magnitude", activation);
    }

    /** As halving, but the scale 1 + 0.5 tanh(...) is clamped to exactly 1.25. */
    private static ObjectNode clamped() {
        ObjectNode params =
                params(0, 0.5, 100, 1e-6, "std", 1).put("scale_min", 1.25).put("scale_max", 1.25);
        ObjectNode node = vectorCase("clamped", 1, 2, params);
        array(node, "x", 2, -4);
        array(node, "dy", 1, 2);
        array(node, "y", 1.25, -2.5);
        moments(node, -0.625, 1.875);
        array(node, "dx", 0.625, 1.25);
        array(node, "dx_magnitude", 0.625, 1.25);
        return node.put("dlambda", 1.25 - 5).put("dlambda_magnitude", 6.25);
    }

    private static String file(ObjectNode... cases) {
        ObjectNode root = JSON.createObjectNode();
        ArrayNode list = root.putArray("cases");
        for (ObjectNode node : cases) {
            list.add(node);
        }
        return root.toString();
    }

    private VectorCases.Report run(Isa isa, String json) throws IOException {
        Path file = folder.resolve("vectors.json");
        Files.writeString(file, json);
        try (Context context = Context.open(Device.cpu(), 1, isa)) {
            return VectorCases.run(context, file);
        }
    }

    @ParameterizedTest
    @MethodSource("instructionSets")
    void casesWithKnownResultsPass(Isa isa) throws IOException {
        VectorCases.Report report = run(isa, file(halving(), oneChannel(), clamped()));
        assertThat(report.cases()).hasSize(3).allMatch(VectorCases.CaseResult::pass);
        assertThat(report.worst().worst()).isLessThan(1);
        assertThat(report.implementation()).isNotEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"activation_mean", "activation_std", "w2", "dlambda"})
    void aWrongNumberFails(String field) throws IOException {
        ObjectNode wrong = halving();
        wrong.put(field, wrong.get(field).asDouble() + 1e-3);
        VectorCases.Report report = run(Isa.AUTO, file(oneChannel(), wrong));
        assertThat(report.pass()).isFalse();
        assertThat(report.worst().name()).isEqualTo("halving");
        assertThat(report.worst().detail()).contains(field);
    }

    @ParameterizedTest
    @ValueSource(strings = {"y", "dx"})
    void aWrongElementFails(String field) throws IOException {
        ObjectNode wrong = halving();
        array(wrong, field, 3, -6, 9.001, 12);
        assertThat(run(Isa.AUTO, file(wrong)).pass()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"NaN", "\"NaN\"", "\"nan\"", "null"})
    void aNaNMakesItsRowNaNHoweverItIsWritten(String nan) throws IOException {
        ObjectNode node = halving();
        String json = file(node)
                .replace("[2.0,-4.0,6.0,8.0]", "[" + nan + ",-4.0,6.0,8.0]")
                .replace("[3.0,-6.0,9.0,12.0]", "[" + nan + "," + nan + ",9.0,12.0]")
                .replace("[1.5,3.0,-1.5,0.75]", "[" + nan + "," + nan + ",-1.5,0.75]")
                .replaceAll("\"(activation_mean|activation_std|w2|dlambda)\":[-0-9.Ee]+", "\"$1\":" + nan);
        VectorCases.Report report = run(Isa.AUTO, json);
        assertThat(report.cases()).allMatch(VectorCases.CaseResult::pass);
    }

    @Test
    void anEmptyTensorPasses() throws IOException {
        ObjectNode node = vectorCase("empty", 0, 5, params(0.1, 0.1, 0.9, 1e-6, "std", 1));
        for (String field : List.of("x", "dy", "y", "dx", "dx_magnitude")) {
            array(node, field);
        }
        moments(node, 0, 0);
        node.put("dlambda", 0).put("dlambda_magnitude", 0);
        assertThat(run(Isa.AUTO, file(node)).pass()).isTrue();
    }

    private void assertRejected(String json, String... parts) {
        assertThatThrownBy(() -> run(Isa.AUTO, json))
                .isInstanceOf(VectorFileException.class)
                .hasMessageContaining("vectors.json: ")
                .hasMessageContainingAll(parts)
                .satisfies(e -> assertThat(e.getMessage().lines()).hasSize(1));
    }

    @Test
    void malformedFilesNameTheCaseAndTheField() {
        assertRejected("{", "not valid JSON");
        assertRejected("", "'cases' is missing");
        assertRejected("{}", "'cases' is missing");
        assertRejected("{\"cases\": []}", "empty");
        assertRejected("{\"cases\": [7]}", "case 0", "not an object");
        ObjectNode node = halving();
        node.remove("dy");
        assertRejected(file(oneChannel(), node), "case 1 'halving'", "'dy' is missing");
        array(node, "dy", 1, 2);
        assertRejected(file(node), "'halving'", "'dy' has 2 numbers, expected 4");
        node.put("dy", "text");
        assertRejected(file(node), "'dy' is not an array");
        ObjectNode negative = halving();
        negative.put("rows", -1);
        assertRejected(file(negative), "'rows' is -1");
        ObjectNode statistic = halving();
        ((ObjectNode) statistic.get("params")).put("statistic", "median");
        assertRejected(file(statistic), "'statistic' is \"median\"");
        ObjectNode gamma = halving();
        ((ObjectNode) gamma.get("params")).put("gamma", 1);
        assertRejected(file(gamma), "'halving'", "gamma 1.0");
        ObjectNode text = halving();
        text.put("dlambda", "many");
        assertRejected(file(text), "'dlambda' is \"many\", expected a number");
    }

    @Test
    void aMissingFileIsNamed() {
        try (Context context = Context.open(Device.cpu())) {
            assertThatThrownBy(() -> VectorCases.run(context, folder.resolve("none.json")))
                    .isInstanceOf(VectorFileException.class)
                    .hasMessageContaining("none.json: no such file");
        }
    }

    @ParameterizedTest
    @MethodSource("instructionSets")
    void theSpecificationsVectorsPass(Isa isa) throws IOException {
        Path file = Path.of(System.getProperty("velu.test.data", "../../shared/data"))
                .resolveSibling("spec/velu_vectors.json");
        assumeTrue(Files.isRegularFile(file), file + " is absent; set -Dvelu.test.data to the folder of the test data");
        try (Context context = Context.open(Device.cpu(), 2, isa)) {
            assertThat(VectorCases.run(context, file).cases()).allMatch(VectorCases.CaseResult::pass);
        }
    }
}
