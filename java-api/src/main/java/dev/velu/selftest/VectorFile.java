package dev.velu.selftest;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.velu.op.VeluParameters;
import dev.velu.op.VeluParameters.Clamp;
import dev.velu.op.VeluParameters.Statistic;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Reads files of VeLU reference vectors: {@code {"cases": [{name, rows, channels, params, w2_weight, x, dy, y,
 * activation_mean, activation_std, w2, dx, dx_magnitude, dlambda, dlambda_magnitude}]}}, params being {@code {alpha,
 * beta1, beta2, gamma, mu, eps, statistic, lambda}} and, for the clamp, scale_min and scale_max.
 *
 * <p>Numbers that are not finite may be bare ({@code NaN}, {@code Infinity}), strings, or null for NaN.
 */
final class VectorFile {
    private static final ObjectMapper JSON = JsonMapper.builder(JsonFactory.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .build())
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .build();

    private final Path path;

    private VectorFile(Path path) {
        this.path = path;
    }

    /** @throws VectorFileException for anything that is not as described; names the case and the field */
    static List<VectorCase> read(Path path) throws VectorFileException {
        VectorFile file = new VectorFile(path);
        JsonNode root;
        try {
            root = JSON.readTree(Files.readAllBytes(path));
        } catch (JacksonException e) {
            throw new VectorFileException(
                    path + ": not valid JSON: "
                            + e.getOriginalMessage().lines().findFirst().orElse("unreadable"),
                    e);
        } catch (NoSuchFileException e) {
            throw new VectorFileException(path + ": no such file", e);
        } catch (IOException e) {
            throw new VectorFileException(path + ": cannot be read: " + e.getMessage(), e);
        } catch (OutOfMemoryError e) {
            throw new VectorFileException(path + ": too large to be read at once", e);
        }
        JsonNode list = root.get("cases");
        if (list == null || !list.isArray()) {
            throw new VectorFileException(path + ": 'cases' is missing or not an array");
        }
        if (list.isEmpty()) {
            throw new VectorFileException(path + ": 'cases' is empty; there is nothing to compare");
        }
        List<VectorCase> cases = new ArrayList<>();
        for (int i = 0; i < list.size(); i++) {
            cases.add(file.vectorCase(list.get(i), i));
        }
        return cases;
    }

    private VectorCase vectorCase(JsonNode node, int index) throws VectorFileException {
        JsonNode nameNode = node.get("name");
        String where =
                "case " + index + (nameNode != null && nameNode.isTextual() ? " '" + nameNode.asText() + "'" : "");
        if (!node.isObject()) {
            throw error(where, "is not an object");
        }
        JsonNode params = field(node, "params", where);
        int rows = size(node, "rows", 0, where);
        int channels = size(node, "channels", 1, where);
        int count = Math.toIntExact(Math.min(Integer.MAX_VALUE, (long) rows * channels));
        float lambda = params.has("lambda") ? (float) number(params, "lambda", where) : 1;
        return new VectorCase(
                nameNode != null && nameNode.isTextual() ? nameNode.asText() : "case " + index,
                rows,
                channels,
                parameters(params, where),
                lambda,
                node.has("w2_weight") ? (float) number(node, "w2_weight", where) : 0,
                Numbers.narrow(numbers(node, "x", count, where)),
                Numbers.narrow(numbers(node, "dy", count, where)),
                numbers(node, "y", count, where),
                number(node, "activation_mean", where),
                number(node, "activation_std", where),
                number(node, "w2", where),
                numbers(node, "dx", count, where),
                numbers(node, "dx_magnitude", count, where),
                number(node, "dlambda", where),
                number(node, "dlambda_magnitude", where));
    }

    private VeluParameters parameters(JsonNode params, String where) throws VectorFileException {
        try {
            return new VeluParameters(
                    (float) number(params, "alpha", where),
                    (float) number(params, "beta1", where),
                    (float) number(params, "beta2", where),
                    (float) number(params, "gamma", where),
                    (float) number(params, params.has("mu") ? "mu" : "momentum", where),
                    (float) number(params, "eps", where),
                    statistic(params, where),
                    clamp(params, where));
        } catch (IllegalArgumentException e) {
            throw error(where, "field 'params': " + e.getMessage());
        }
    }

    private Statistic statistic(JsonNode params, String where) throws VectorFileException {
        JsonNode node = field(params, "statistic", where);
        for (Statistic statistic : Statistic.values()) {
            if (node.isTextual() && statistic.name().equals(node.asText().toUpperCase(Locale.ROOT))) {
                return statistic;
            }
        }
        throw error(where, "field 'statistic' is " + node + ", expected \"inverse_rms\" or \"std\"");
    }

    /**
     * From scale_min and scale_max, or from clamp as [min, max] or {scale_min, scale_max}; off if absent, null, false
     * or 0.
     */
    private Clamp clamp(JsonNode params, String where) throws VectorFileException {
        JsonNode clamp = params.get("clamp");
        boolean off =
                clamp != null && (clamp.isNull() || (clamp.isBoolean() || clamp.isNumber()) && !clamp.asBoolean());
        if (clamp != null && clamp.isArray()) {
            double[] range = numbers(params, "clamp", 2, where);
            return new Clamp((float) range[0], (float) range[1]);
        }
        JsonNode holder = clamp != null && clamp.isObject() ? clamp : params;
        boolean absent = isAbsent(holder, "scale_min") && isAbsent(holder, "scale_max");
        if (off || (clamp == null && absent)) {
            return null;
        }
        return new Clamp((float) number(holder, "scale_min", where), (float) number(holder, "scale_max", where));
    }

    private static boolean isAbsent(JsonNode node, String name) {
        return node.get(name) == null || node.get(name).isNull();
    }

    private int size(JsonNode node, String name, int least, String where) throws VectorFileException {
        JsonNode value = field(node, name, where);
        if (!value.isIntegralNumber() || !value.canConvertToInt() || value.asInt() < least) {
            throw error(where, "field '" + name + "' is " + value + ", expected an integer of at least " + least);
        }
        return value.asInt();
    }

    private double[] numbers(JsonNode node, String name, int count, String where) throws VectorFileException {
        JsonNode list = field(node, name, where);
        if (!list.isArray() || list.size() != count) {
            throw error(
                    where,
                    "field '" + name + "' " + (list.isArray() ? "has " + list.size() + " numbers" : "is not an array")
                            + ", expected " + count);
        }
        double[] values = new double[count];
        for (int i = 0; i < count; i++) {
            values[i] = value(list.get(i), "'" + name + "[" + i + "]'", where);
        }
        return values;
    }

    private double number(JsonNode node, String name, String where) throws VectorFileException {
        return value(field(node, name, where), "'" + name + "'", where);
    }

    private double value(JsonNode value, String what, String where) throws VectorFileException {
        if (value.isNull()) {
            return Double.NaN;
        }
        if (value.isNumber()) {
            return value.asDouble();
        }
        String text = value.isTextual() ? value.asText().toLowerCase(Locale.ROOT) : "";
        return switch (text) {
            case "nan" -> Double.NaN;
            case "inf", "+inf", "infinity", "+infinity" -> Double.POSITIVE_INFINITY;
            case "-inf", "-infinity" -> Double.NEGATIVE_INFINITY;
            default -> throw error(where, "field " + what + " is " + shorten(value.toString()) + ", expected a number");
        };
    }

    private JsonNode field(JsonNode node, String name, String where) throws VectorFileException {
        JsonNode value = node.get(name);
        if (value == null) {
            throw error(where, "field '" + name + "' is missing");
        }
        return value;
    }

    private static String shorten(String text) {
        return text.length() <= 60 ? text : text.substring(0, 60) + "...";
    }

    private VectorFileException error(String where, String problem) {
        return new VectorFileException(path + ": " + where + ": " + problem);
    }
}
