package dev.velu.models;

import dev.velu.graph.Value;
import dev.velu.op.ActivationFunction;
import java.util.List;
import java.util.stream.Collectors;

/** A network without its head variants: what each network's file provides. */
public interface Architecture {
    /** Name on the command line, torchvision's: e.g. {@code resnet50}. */
    String label();

    /** Height and width in pixels that the published weights were trained for. */
    int defaultSize();

    /** Smallest height and width that leaves every layer at least one pixel. */
    int minimumSize();

    /** The activation function at its sites as published. */
    ActivationFunction defaultActivation();

    /** Whether the standard classifier contains activation sites. */
    boolean standardHeadHasActivations();

    /** Images {@code [N, S, S, 3]} to features {@code [N, H, W, C]}. */
    Value features(NetworkBuilder net, Value images);

    /** Features to logits {@code [N, classes]} as published. */
    Value classifier(NetworkBuilder net, Value features, int classes);

    /** Every architecture there is. */
    static List<Architecture> all() {
        return List.of(new ResNet50());
    }

    /** @throws IllegalArgumentException for an unknown name; lists the known ones */
    static Architecture named(String label) {
        return all().stream()
                .filter(a -> a.label().equals(label))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("unknown model '" + label + "'; use one of "
                        + all().stream().map(Architecture::label).collect(Collectors.joining(", "))));
    }
}
