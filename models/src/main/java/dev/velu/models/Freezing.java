package dev.velu.models;

import dev.velu.nn.NamePrefix;
import dev.velu.nn.Parameter;
import dev.velu.nn.Parameters;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * Which parameters of a network are left as they are in training; see {@link Parameters#freeze}. Batch norms among them normalize by
 * their running statistics and leave those, too.
 *
 * @param prefixes names of parameters or of modules, e.g. {@code layer1} or {@code features.0}: whole components, so that {@code
 *     features.1} is not {@code features.10}
 */
public record Freezing(List<String> prefixes) implements Predicate<String> {
    /** Everything is trained. */
    public static final Freezing NONE = new Freezing(List.of());

    /**
     * Checks the prefixes.
     *
     * @throws IllegalArgumentException for an empty prefix
     */
    public Freezing {
        prefixes = prefixes.stream().map(NamePrefix::normalized).toList();
        if (prefixes.contains("")) {
            throw new IllegalArgumentException("an empty prefix would freeze the whole network; name a module");
        }
    }

    /**
     * Freezes modules of a network by name.
     *
     * @throws IllegalArgumentException if a prefix is none of the network's, which lists its stages, or if nothing is left to train
     */
    public static Freezing of(NetworkSpec spec, List<String> prefixes) {
        Freezing freezing = new Freezing(prefixes);
        Parameters parameters = ParameterStage.parameters(spec);
        for (String prefix : freezing.prefixes) {
            if (parameters.all().stream().noneMatch(p -> NamePrefix.matches(prefix, p.name()))) {
                throw new IllegalArgumentException("'" + prefix + "' is no part of "
                        + spec.architecture().label() + " to freeze; it has " + names(ParameterStage.of(parameters)));
            }
        }
        return freezing.leavingSome(spec, parameters);
    }

    /**
     * Freezes the first stages of a network, see {@link ParameterStage#of}.
     *
     * @throws IllegalArgumentException if there are not that many, which lists them, or if nothing is left to train
     */
    public static Freezing firstStages(NetworkSpec spec, int stages) {
        Parameters parameters = ParameterStage.parameters(spec);
        List<ParameterStage> all = ParameterStage.of(parameters);
        if (stages < 0 || stages >= all.size()) {
            throw new IllegalArgumentException("number of stages to freeze " + stages + " is outside 0.."
                    + (all.size() - 1) + "; " + spec.architecture().label() + " has " + names(all));
        }
        return new Freezing(all.subList(0, stages).stream()
                        .flatMap(stage -> stage.prefixes().stream())
                        .toList())
                .leavingSome(spec, parameters);
    }

    private static String names(List<ParameterStage> stages) {
        return stages.stream().map(ParameterStage::name).collect(Collectors.joining(", "));
    }

    private Freezing leavingSome(NetworkSpec spec, Parameters parameters) {
        if (parameters.all().stream().filter(Parameter::trainable).allMatch(p -> test(p.name()))) {
            throw new IllegalArgumentException("with " + String.join(", ", prefixes) + " frozen nothing of "
                    + spec.architecture().label() + " is left to train; freeze less");
        }
        return this;
    }

    /** Whether a parameter of this name is frozen. */
    @Override
    public boolean test(String name) {
        return prefixes.stream().anyMatch(prefix -> NamePrefix.matches(prefix, name));
    }
}
