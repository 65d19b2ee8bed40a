package dev.velu.nn;

import java.util.Collection;
import java.util.List;

/**
 * Which parameters are trained with another learning rate or weight decay. The first group that a parameter belongs to counts; one
 * that belongs to none is trained with the optimizer's own.
 *
 * @param noDecayOnNormAndBias no weight decay for parameters of one axis or none, whatever their group: biases, weights of
 *     normalizations, VeLU's lambdas
 */
public record ParameterGroups(List<ParameterGroup> groups, boolean noDecayOnNormAndBias) {
    /** All parameters are trained alike. */
    public static final ParameterGroups NONE = new ParameterGroups(List.of(), false);

    /** Copies the groups. */
    public ParameterGroups {
        groups = List.copyOf(groups);
    }

    /** How one parameter is trained; weightDecay is null for the optimizer's. */
    record Rule(float learningRateFactor, Float weightDecay) {}

    Rule rule(Parameter parameter) {
        ParameterGroup group = groups.stream()
                .filter(g -> g.contains(parameter.name()))
                .findFirst()
                .orElse(null);
        float factor = group == null ? 1 : group.learningRateFactor();
        Float decay = group == null ? null : group.weightDecay();
        boolean none = noDecayOnNormAndBias && parameter.type().shape().rank() <= 1;
        return new Rule(factor, none ? Float.valueOf(0) : decay);
    }

    /** The prefixes of groups that none of the names belongs to. */
    public List<String> unmatched(Collection<String> names) {
        return groups.stream()
                .filter(group -> names.stream().noneMatch(group::contains))
                .map(ParameterGroup::prefix)
                .toList();
    }
}
