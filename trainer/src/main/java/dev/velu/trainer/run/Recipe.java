package dev.velu.trainer.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Settings of a run that go together, from a YAML file: names and values of {@link RunConfiguration}'s settings in snake case, and,
 * if it likes, {@code name} and {@code description}.
 *
 * @param reference what it was asked for by: a name or a path
 * @param text of the file
 * @param settings by name, in the order of the file
 */
public record Recipe(String reference, String description, String text, Map<String, JsonNode> settings) {
    /** Names of the recipes that come with the program. */
    public static final List<String> BUILT_IN = List.of("paper", "modern");

    private static final YAMLMapper YAML = new YAMLMapper();
    private static final int LONGEST = 1 << 20;

    /** What says something of the recipe, and is no setting. */
    private static final List<String> OF_THE_RECIPE = List.of("name", "description");

    /**
     * Reads a recipe.
     *
     * @param reference the name of one that comes with the program, or the path of a YAML file
     * @throws IllegalArgumentException if there is none, or a setting is unknown or has no possible value: names it and its line
     */
    public static Recipe named(String reference) {
        if (BUILT_IN.contains(reference)) {
            return parse(reference, "recipe " + reference, resource(reference));
        }
        return parse(reference, reference, file(reference));
    }

    /** The recipes that come with the program. */
    public static List<Recipe> builtIn() {
        return BUILT_IN.stream().map(Recipe::named).toList();
    }

    /**
     * A configuration with this recipe's settings, and its name.
     *
     * @throws IllegalArgumentException if they do not go with the others
     */
    public RunConfiguration applyTo(RunConfiguration configuration) {
        Map<String, Object> values = new LinkedHashMap<>(settings);
        values.put("recipe", reference);
        return configuration.with(values);
    }

    private static String resource(String name) {
        try (InputStream in = Recipe.class.getResourceAsStream("recipes/" + name + ".yaml")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException("recipe " + name + " cannot be read", e);
        }
    }

    private static String file(String reference) {
        try {
            Path path = Path.of(reference);
            if (!Files.isRegularFile(path)) {
                String meant = Similarity.nearest(reference, BUILT_IN)
                        .map(name -> "; did you mean '" + name + "'?")
                        .orElse("");
                throw new IllegalArgumentException("there is no recipe and no file '" + reference
                        + "'; the recipes are " + String.join(", ", BUILT_IN) + meant);
            }
            if (Files.size(path) > LONGEST) {
                throw new IllegalArgumentException(
                        path + " has " + Files.size(path) + " bytes; a recipe has at most " + LONGEST);
            }
            return new String(Files.readAllBytes(path), StandardCharsets.UTF_8);
        } catch (InvalidPathException e) {
            throw new IllegalArgumentException("'" + reference + "' is neither a recipe nor a path", e);
        } catch (IOException e) {
            throw new IllegalArgumentException("recipe " + reference + " cannot be read: " + e.getMessage(), e);
        }
    }

    private static Recipe parse(String reference, String origin, String text) {
        Map<String, JsonNode> settings = new LinkedHashMap<>();
        Map<String, Integer> lines = new LinkedHashMap<>();
        try (YAMLParser parser = YAML.getFactory().createParser(text)) {
            JsonToken first = parser.nextToken();
            if (first != JsonToken.START_OBJECT) {
                throw new IllegalArgumentException(
                        origin + " is not a recipe; expected lines 'setting: value', as 'velu recipes paper' prints");
            }
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                int line = parser.currentTokenLocation().getLineNr();
                requireKnown(name, origin, line);
                if (lines.putIfAbsent(name, line) != null) {
                    throw new IllegalArgumentException(origin + " line " + line + ": '" + name + "' stands in line "
                            + lines.get(name) + " already");
                }
                parser.nextToken();
                settings.put(name, YAML.readTree(parser));
            }
        } catch (JsonProcessingException e) {
            int line = e.getLocation() == null ? 1 : e.getLocation().getLineNr();
            throw new IllegalArgumentException(
                    origin + " line " + line + ": not YAML: "
                            + e.getOriginalMessage().lines().findFirst().orElse(""),
                    e);
        } catch (IOException e) {
            throw new UncheckedIOException("a text in memory is always readable", e);
        }
        JsonNode description = settings.get("description");
        settings.keySet().removeAll(OF_THE_RECIPE);
        Recipe recipe = new Recipe(reference, description == null ? "" : description.asText(), text, settings);
        recipe.requireValues(origin, lines);
        return recipe;
    }

    private static void requireKnown(String name, String origin, int line) {
        List<String> known = new ArrayList<>(RunConfiguration.names());
        known.remove("recipe");
        known.addAll(OF_THE_RECIPE);
        if (!known.contains(name)) {
            String meant = Similarity.nearest(name, known)
                    .map(near -> "; did you mean '" + near + "'?")
                    .orElse("; 'velu train --help' lists them, here with _ for -");
            throw new IllegalArgumentException(origin + " line " + line + ": unknown setting '" + name + "'" + meant);
        }
    }

    /** With the others at their defaults; the line is that of the first setting that is wrong by itself, if one is. */
    private void requireValues(String origin, Map<String, Integer> lines) {
        try {
            applyTo(RunConfiguration.defaults());
        } catch (IllegalArgumentException all) {
            for (Map.Entry<String, JsonNode> setting : settings.entrySet()) {
                try {
                    RunConfiguration.defaults().with(Map.of(setting.getKey(), setting.getValue()));
                } catch (IllegalArgumentException one) {
                    if (one.getMessage().equals(all.getMessage())) {
                        throw new IllegalArgumentException(
                                origin + " line " + lines.get(setting.getKey()) + ": " + one.getMessage(), one);
                    }
                }
            }
            throw new IllegalArgumentException(origin + ": " + all.getMessage(), all);
        }
    }
}
