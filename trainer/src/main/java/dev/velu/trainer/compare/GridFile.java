package dev.velu.trainer.compare;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.velu.trainer.run.RunException;
import dev.velu.trainer.run.Similarity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * A grid in YAML.
 *
 * <pre>{@code
 * models: [mobilenet_v2, resnet50]
 * activations: [velu, relu]
 * data: mnist
 * seeds: 0-4
 * settings: {size: 32, epochs: 5}
 * model_settings:
 *   resnet50: {batch_size: 16}
 * }</pre>
 *
 * <p>Also {@code activation_settings} and {@code data_settings}. All keys may be absent.
 *
 * @param models null where the file says nothing, like the other axes
 */
public record GridFile(
        List<String> models,
        List<String> activations,
        List<String> data,
        List<Long> seeds,
        Map<String, Object> settings,
        Map<String, Map<String, Object>> modelSettings,
        Map<String, Map<String, Object>> activationSettings,
        Map<String, Map<String, Object>> dataSettings) {

    private static final YAMLMapper YAML = YAMLMapper.builder()
            .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
            .build();
    private static final Set<String> KEYS = new TreeSet<>(Set.of(
            "models",
            "activations",
            "data",
            "seeds",
            "settings",
            "model_settings",
            "activation_settings",
            "data_settings"));
    private static final long MOST_BYTES = 1 << 20;

    /** A file that says nothing. */
    public static GridFile none() {
        return new GridFile(null, null, null, null, Map.of(), Map.of(), Map.of(), Map.of());
    }

    /** @throws RunException if the file cannot be read, is not YAML, or says something else than a grid; names the place */
    public static GridFile read(Path file) {
        try {
            if (!Files.isRegularFile(file)) {
                throw new RunException("there is no grid file " + file);
            }
            if (Files.size(file) > MOST_BYTES) {
                throw new RunException("grid file " + file + " has " + Files.size(file) + " bytes, more than the "
                        + MOST_BYTES + " that a grid can have");
            }
            return of(YAML.readTree(Files.readAllBytes(file)));
        } catch (JsonProcessingException e) {
            String place =
                    e.getLocation() == null ? "" : ", line " + e.getLocation().getLineNr();
            throw new RunException(
                    "grid file " + file + place + " is not YAML: " + firstLine(e.getOriginalMessage()), e);
        } catch (IllegalArgumentException e) {
            throw new RunException("grid file " + file + ": " + e.getMessage(), e);
        } catch (IOException e) {
            throw new RunException("cannot read the grid file " + file + ": " + e.getMessage(), e);
        }
    }

    private static String firstLine(String message) {
        return message.lines().findFirst().orElse("");
    }

    private static GridFile of(JsonNode tree) {
        if (!tree.isObject()) {
            throw new IllegalArgumentException("it has no keys; write e.g. 'models: [resnet50]'");
        }
        tree.fieldNames().forEachRemaining(key -> {
            if (!KEYS.contains(key)) {
                throw new IllegalArgumentException("unknown key '" + key + "'"
                        + Similarity.nearest(key, KEYS)
                                .map(near -> "; did you mean '" + near + "'?")
                                .orElse("; there are " + String.join(", ", KEYS)));
            }
        });
        return new GridFile(
                names(tree, "models"),
                names(tree, "activations"),
                names(tree, "data"),
                seeds(tree),
                settings("settings", tree.path("settings")),
                settingsByName(tree, "model_settings"),
                settingsByName(tree, "activation_settings"),
                settingsByName(tree, "data_settings"));
    }

    /** A list, or one text with commas. */
    private static List<String> names(JsonNode tree, String key) {
        if (!tree.has(key)) {
            return null;
        }
        List<String> names = new ArrayList<>();
        for (JsonNode value : values(tree.get(key))) {
            if (!value.isTextual() || value.asText().isBlank()) {
                throw new IllegalArgumentException("'" + key + "' holds " + value + ", which is no name");
            }
            names.addAll(Names.split(key, value.asText()));
        }
        return names;
    }

    private static List<Long> seeds(JsonNode tree) {
        if (!tree.has("seeds")) {
            return null;
        }
        List<Long> seeds = new ArrayList<>();
        for (JsonNode value : values(tree.get("seeds"))) {
            seeds.addAll(SeedRange.parse(value.asText()));
        }
        return seeds;
    }

    private static Iterable<JsonNode> values(JsonNode node) {
        return node.isArray() ? node : List.of(node);
    }

    private static Map<String, Object> settings(String where, JsonNode node) {
        if (node.isMissingNode()) {
            return Map.of();
        }
        if (!node.isObject()) {
            throw new IllegalArgumentException("'" + where + "' is no list of settings; write e.g. {epochs: 5}");
        }
        return YAML.convertValue(node, new TypeReference<LinkedHashMap<String, Object>>() {});
    }

    private static Map<String, Map<String, Object>> settingsByName(JsonNode tree, String key) {
        JsonNode node = tree.path(key);
        if (!node.isMissingNode() && !node.isObject()) {
            throw new IllegalArgumentException("'" + key + "' has no names; write e.g. {resnet50: {epochs: 5}}");
        }
        Map<String, Map<String, Object>> settings = new LinkedHashMap<>();
        node.properties().forEach(e -> settings.put(e.getKey(), settings(key + " of " + e.getKey(), e.getValue())));
        return settings;
    }
}
