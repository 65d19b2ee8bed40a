package dev.velu.models;

import dev.velu.nn.NamePrefix;
import dev.velu.nn.Parameter;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A part of a network with parameters, as one freezes it or gives it a learning rate of its own: a stage of the body, or the
 * classifier. Normalizations and activations that follow a convolution belong to it.
 *
 * @param name of its first module
 * @param prefixes names of its modules
 * @param parameters trainable values in it
 */
public record ParameterStage(String name, List<String> prefixes, long parameters) {
    private static final int BATCH = 2;
    /** Modules whose own modules are the stages. */
    private static final Set<String> CONTAINERS = Set.of("features", "encoder", "encoder.layers");

    /** Copies the names. */
    public ParameterStage {
        prefixes = List.copyOf(prefixes);
    }

    /** Whether a parameter of this name belongs to it. */
    public boolean contains(String parameter) {
        return prefixes.stream().anyMatch(prefix -> NamePrefix.matches(prefix, parameter));
    }

    /** The stages of a network from its input to its output. */
    public static List<ParameterStage> of(NetworkSpec spec) {
        return of(parameters(spec));
    }

    /** The parameters of a network, without memory. */
    static Parameters parameters(NetworkSpec spec) {
        Parameters parameters = new Parameters();
        Network.build(spec, parameters, BATCH, false, NormalizeImage.imageNet());
        return parameters;
    }

    static List<ParameterStage> of(Parameters parameters) {
        Map<String, List<Parameter>> modules = new LinkedHashMap<>();
        for (Parameter parameter : parameters.all()) {
            modules.computeIfAbsent(module(parameter.name()), name -> new ArrayList<>())
                    .add(parameter);
        }
        List<ParameterStage> stages = new ArrayList<>();
        modules.forEach((name, tensors) -> {
            long count = tensors.stream()
                    .filter(Parameter::trainable)
                    .mapToLong(p -> p.type().shape().elements())
                    .sum();
            if (!stages.isEmpty() && belongsToTheOneBefore(name, tensors)) {
                ParameterStage before = stages.removeLast();
                List<String> prefixes = new ArrayList<>(before.prefixes());
                prefixes.add(name);
                stages.add(new ParameterStage(before.name(), prefixes, before.parameters() + count));
            } else {
                stages.add(new ParameterStage(name, List.of(name), count));
            }
        });
        return List.copyOf(stages);
    }

    /** The module of a parameter that stands directly in the network or in a container. */
    private static String module(String parameter) {
        int end = parameter.indexOf('.');
        while (end >= 0 && CONTAINERS.contains(parameter.substring(0, end))) {
            end = parameter.indexOf('.', end + 1);
        }
        return end < 0 ? parameter : parameter.substring(0, end);
    }

    /** Whether a module is a normalization or an activation. */
    private static boolean belongsToTheOneBefore(String module, List<Parameter> tensors) {
        return tensors.stream()
                .allMatch(p -> p.role() == Parameter.Role.ACTIVATION
                        || p.role() == Parameter.Role.BUFFER
                        || p.type().shape().rank() <= 1 && p.name().lastIndexOf('.') == module.length());
    }
}
