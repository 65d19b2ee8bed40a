package dev.velu.trainer.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** A {@link RunConfiguration} as JSON. */
final class ConfigurationJson {
    private static final ObjectMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
            .enable(SerializationFeature.INDENT_OUTPUT)
            .build();

    /** What every configuration ever written has. Of the others, a missing one is one that there was not yet. */
    private static final List<String> ALWAYS_THERE = List.of("model", "activation", "data", "seed");

    private ConfigurationJson() {}

    static List<String> names() {
        List<String> names = new ArrayList<>();
        defaults().fieldNames().forEachRemaining(names::add);
        return names;
    }

    private static ObjectNode defaults() {
        return JSON.valueToTree(RunConfiguration.defaults());
    }

    static Map<String, Object> values(RunConfiguration configuration) {
        return JSON.convertValue(configuration, new TypeReference<LinkedHashMap<String, Object>>() {});
    }

    static RunConfiguration with(RunConfiguration configuration, Map<String, ?> values) {
        ObjectNode tree = JSON.valueToTree(configuration);
        values.forEach((name, value) -> {
            if (!tree.has(name)) {
                throw new IllegalArgumentException("unknown setting '" + name + "'");
            }
            tree.set(name, JSON.valueToTree(value));
        });
        return fromTree(tree);
    }

    static String write(RunConfiguration configuration) {
        try {
            return JSON.writeValueAsString(configuration);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a configuration is always JSON", e);
        }
    }

    static RunConfiguration read(String json, String origin) {
        try {
            if (!(JSON.readTree(json) instanceof ObjectNode settings)) {
                throw new IllegalArgumentException("it is not a JSON object");
            }
            ObjectNode defaults = defaults();
            defaults.remove(ALWAYS_THERE);
            defaults.properties().stream()
                    .filter(setting -> !settings.has(setting.getKey()))
                    .forEach(setting -> settings.set(setting.getKey(), setting.getValue()));
            return fromTree(settings);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(origin + " is not JSON: " + e.getOriginalMessage(), e);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(origin + " is not a run's configuration: " + e.getMessage(), e);
        }
    }

    private static RunConfiguration fromTree(JsonNode settings) {
        try {
            return JSON.treeToValue(settings, RunConfiguration.class);
        } catch (UnrecognizedPropertyException e) {
            throw new IllegalArgumentException("unknown setting '" + e.getPropertyName() + "'", e);
        } catch (JsonProcessingException e) {
            if (e.getCause() instanceof IllegalArgumentException cause) {
                throw cause;
            }
            String path = e instanceof MismatchedInputException mismatch
                    ? mismatch.getPath().stream()
                            .map(r -> String.valueOf(r.getFieldName()))
                            .collect(Collectors.joining("."))
                    : "";
            throw new IllegalArgumentException("setting '" + path + "' is missing or of the wrong kind", e);
        }
    }
}
