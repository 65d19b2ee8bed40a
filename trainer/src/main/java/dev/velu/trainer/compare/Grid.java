package dev.velu.trainer.compare;

import dev.velu.trainer.data.DataException;
import dev.velu.trainer.data.DatasetCatalog;
import dev.velu.trainer.run.Recipe;
import dev.velu.trainer.run.RunConfiguration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * What is compared: every network with every activation function on every data set from every seed.
 *
 * <p>Settings are named as in {@link RunConfiguration} (snake case). Where several give the same one, that of the data set counts before
 * that of the activation, that before the network's, and that before the common one.
 *
 * @param settings of all cells
 * @param modelSettings of the cells of a network, by its name
 * @param activationSettings of the cells of an activation, by its name
 * @param dataSettings of the cells of a data set, by its name
 */
public record Grid(
        List<String> models,
        List<String> activations,
        List<String> data,
        List<Long> seeds,
        Map<String, Object> settings,
        Map<String, Map<String, Object>> modelSettings,
        Map<String, Map<String, Object>> activationSettings,
        Map<String, Map<String, Object>> dataSettings) {

    /** What the axes of the grid give. */
    private static final Set<String> AXES = Set.of("model", "activation", "data", "seed");

    private static final int MOST_CELLS = 100_000;

    /** @throws IllegalArgumentException if an axis is empty, a value comes twice, or settings are for something that is not compared */
    public Grid {
        requireDistinct("model", models);
        requireDistinct("activation", activations);
        requireDistinct("data set", data);
        requireDistinct("seed", seeds);
        requireNoAxis(settings);
        requireKnown("model_settings", modelSettings, models);
        requireKnown("activation_settings", activationSettings, activations);
        requireKnown("data_settings", dataSettings, data);
        long cells = (long) models.size() * activations.size() * data.size() * seeds.size();
        if (cells > MOST_CELLS) {
            throw new IllegalArgumentException(
                    cells + " cells are more than " + MOST_CELLS + ", the most there can be");
        }
    }

    /** A grid whose cells differ in nothing but the axes. */
    public static Grid of(List<String> models, List<String> activations, List<String> data, List<Long> seeds) {
        return new Grid(models, activations, data, seeds, Map.of(), Map.of(), Map.of(), Map.of());
    }

    /**
     * The cells in the order in which they are trained: all of the first seed first, so that what is compared comes as early as possible.
     *
     * @param override what is said beside the grid and counts more, e.g. flags
     * @throws IllegalArgumentException for an unknown name, or a value outside its range
     */
    public List<Cell> cells(UnaryOperator<RunConfiguration> override) {
        data.forEach(Grid::requireDataset);
        List<Cell> cells = new ArrayList<>();
        for (long seed : seeds) {
            for (String set : data) {
                for (String model : models) {
                    for (String activation : activations) {
                        cells.add(Cell.of(configuration(model, activation, set, seed, override)));
                    }
                }
            }
        }
        return cells;
    }

    private RunConfiguration configuration(
            String model, String activation, String set, long seed, UnaryOperator<RunConfiguration> override) {
        Map<String, Object> values = new LinkedHashMap<>(settings);
        values.putAll(modelSettings.getOrDefault(model, Map.of()));
        values.putAll(activationSettings.getOrDefault(activation, Map.of()));
        values.putAll(dataSettings.getOrDefault(set, Map.of()));
        Map<String, Object> axes = new LinkedHashMap<>();
        axes.put("model", model);
        axes.put("activation", activation);
        axes.put("data", set);
        axes.put("seed", seed);
        values.putAll(axes);
        return override.apply(withRecipe(values.get("recipe")).with(values)).with(axes);
    }

    /** A recipe is what the other settings are changes of. */
    private static RunConfiguration withRecipe(Object recipe) {
        return recipe == null
                ? RunConfiguration.defaults()
                : Recipe.named(recipe.toString()).applyTo(RunConfiguration.defaults());
    }

    private static void requireDataset(String spec) {
        try {
            DatasetCatalog.entry(spec);
        } catch (DataException e) {
            throw new IllegalArgumentException(e.getMessage(), e);
        }
    }

    private static void requireDistinct(String axis, List<?> values) {
        if (values.isEmpty()) {
            throw new IllegalArgumentException("there is no " + axis + " to compare");
        }
        Set<Object> seen = new HashSet<>();
        for (Object value : values) {
            if (!seen.add(value)) {
                throw new IllegalArgumentException(axis + " " + value + " is named twice; name it once");
            }
        }
    }

    private static void requireKnown(String where, Map<String, Map<String, Object>> settings, Collection<String> axis) {
        settings.forEach((name, values) -> {
            if (!axis.contains(name)) {
                throw new IllegalArgumentException(
                        where + " are for '" + name + "', which is not compared: " + String.join(", ", axis));
            }
            requireNoAxis(values);
        });
    }

    private static void requireNoAxis(Map<String, Object> settings) {
        for (String name : settings.keySet()) {
            if (AXES.contains(name)) {
                throw new IllegalArgumentException(
                        "'" + name + "' is no setting of a cell but an axis of the grid: name its values there");
            }
        }
    }
}
