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

    /** Heights and widths are multiples of this. */
    default int sizeMultiple() {
        return 1;
    }

    /**
     * What a usual learning rate is multiplied with to train the network from random weights: 1, or less where the usual one
     * diverges, as without batch normalization or with a classifier of wide linear layers.
     */
    default float learningRateFactor() {
        return 1;
    }

    /** The activation function at its sites as published. */
    ActivationFunction defaultActivation();

    /** Whether the standard classifier contains activation sites. */
    boolean standardHeadHasActivations();

    /** Images {@code [N, S, S, 3]} to features {@code [N, H, W, C]} or {@code [N, C]}. */
    Value features(NetworkBuilder net, Value images);

    /** Features to logits {@code [N, classes]} as published. */
    Value classifier(NetworkBuilder net, Value features, int classes);

    /** Every architecture there is. */
    static List<Architecture> all() {
        return List.of(
                new Vgg19(false),
                new Vgg19(true),
                new ResNet50(),
                new DenseNet121(),
                new MobileNetV2(),
                new EfficientNetB3(),
                new VisionTransformerB16());
    }

    /**
     * The architecture of this name.
     *
     * @throws IllegalArgumentException for an unknown name; lists the known ones
     */
    static Architecture named(String label) {
        return all().stream()
                .filter(a -> a.label().equals(label))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("unknown model '" + label + "'; use one of "
                        + all().stream().map(Architecture::label).collect(Collectors.joining(", "))));
    }
}
