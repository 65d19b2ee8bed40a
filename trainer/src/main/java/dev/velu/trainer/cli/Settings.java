package dev.velu.trainer.cli;

import dev.velu.trainer.data.DataException;
import dev.velu.trainer.data.DatasetCatalog;
import dev.velu.trainer.run.Recipe;
import dev.velu.trainer.run.RunConfiguration;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.ParseResult.GroupMatch;
import picocli.CommandLine.ParseResult.GroupMatchContainer;

/**
 * From options to a {@link RunConfiguration}. The option {@code --batch-size} gives the setting {@code batch_size}; of several
 * names the longest counts. Only options that stand on the command line replace a setting, so that a resumed run keeps its own.
 */
final class Settings {
    private static final List<String> VELU = List.of(
            "alpha", "beta1", "beta2", "gamma", "mu", "eps", "statistic", "scale_min", "scale_max", "lambda_ot", "w2");

    private Settings() {}

    /**
     * The configuration with the recipe that the command line names, and then with what else it says.
     *
     * @throws IllegalArgumentException if a value is outside its range or has no effect, or an option comes twice
     */
    static RunConfiguration apply(ParseResult parsed, RunConfiguration base) {
        rejectRepeated(parsed);
        Map<String, Object> given = given(parsed);
        RunConfiguration configuration =
                withRecipe(base, (String) given.get("recipe")).with(given);
        for (String name : VELU) {
            if (given.containsKey(name) && !configuration.activation().equals("velu")) {
                throw new IllegalArgumentException("--" + name.replace('_', '-')
                        + " is a constant of VeLU and has no effect with --activation " + configuration.activation());
            }
        }
        return configuration;
    }

    /** A run that goes on has its recipe's settings already, as they were when it was started. */
    private static RunConfiguration withRecipe(RunConfiguration base, String recipe) {
        return recipe == null || recipe.equals(base.recipe())
                ? base
                : Recipe.named(recipe).applyTo(base);
    }

    /** @throws IllegalArgumentException if no data set has this name */
    static DatasetCatalog.Entry dataset(String spec) {
        try {
            return DatasetCatalog.entry(spec);
        } catch (DataException e) {
            throw new IllegalArgumentException(e.getMessage(), e);
        }
    }

    /** An option of a group that comes a second time begins the group anew: the parser forgets what came before it. */
    private static void rejectRepeated(ParseResult parsed) {
        Set<ArgSpec> seen = new HashSet<>();
        for (GroupMatch match : parsed.getGroupMatches()) {
            for (GroupMatchContainer group : match.matchedSubgroups().values()) {
                for (GroupMatch values : group.matches()) {
                    for (OptionSpec option : group.group().options()) {
                        int times = values.matchedValues(option).size();
                        if (times > 1 || times == 1 && !seen.add(option)) {
                            throw new IllegalArgumentException(
                                    option.longestName() + " is given more than once; give it once");
                        }
                    }
                }
            }
        }
    }

    /** The values of the options of all groups that were given, by setting. */
    private static Map<String, Object> given(ParseResult parsed) {
        Map<String, Object> given = new LinkedHashMap<>();
        for (OptionSpec option : parsed.commandSpec().options()) {
            if (isSetting(option) && parsed.hasMatchedOption(option)) {
                given.put(option.longestName().substring(2).replace('-', '_'), option.getValue());
            }
        }
        return given;
    }

    /** Options in a group are settings of the run; those of the command itself are not. */
    private static boolean isSetting(ArgSpec option) {
        return option.group() != null;
    }
}
