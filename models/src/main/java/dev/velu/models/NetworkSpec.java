package dev.velu.models;

import dev.velu.op.ActivationFunction;

/**
 * What network to build.
 *
 * @param architecture one of {@link Architecture#all}
 * @param classes number of classes, positive
 * @param size height and width of the input images in pixels
 * @param activation the activation function, or null for the architecture's own
 * @param sites where {@code activation} is used
 * @param head the classifier
 * @param w2Weight weight of the Wasserstein-2 term of every VeLU site in the loss ({@code lambda_ot}), zero or more
 */
public record NetworkSpec(
        Architecture architecture,
        int classes,
        int size,
        ActivationFunction activation,
        Sites sites,
        Head head,
        float w2Weight) {
    /** Where the chosen activation function is used. */
    public enum Sites {
        /** At every activation site of the architecture and in the head. */
        ALL,
        /** In the head only; the body keeps the architecture's own activation. */
        HEAD
    }

    /** The classifier on top of the features. */
    public enum Head {
        /** The architecture's own. */
        STANDARD,
        /** Global average pool, Linear 256, activation, Linear 64, activation, Linear classes. */
        PAPER
    }

    public NetworkSpec {
        if (classes < 1) {
            throw new IllegalArgumentException("number of classes " + classes + " is not positive");
        }
        if (size < 1) {
            throw new IllegalArgumentException("image size " + size + " is not positive");
        }
        if (size < architecture.minimumSize()) {
            throw new IllegalArgumentException("image size " + size + " is too small for " + architecture.label()
                    + "; it needs at least " + architecture.minimumSize());
        }
        if (!(w2Weight >= 0 && Float.isFinite(w2Weight))) {
            throw new IllegalArgumentException("weight of the W2 term " + w2Weight + " is not zero or more");
        }
        if (sites == Sites.HEAD && head == Head.STANDARD && !architecture.standardHeadHasActivations()) {
            throw new IllegalArgumentException("sites 'head' changes nothing: the standard head of "
                    + architecture.label() + " has no activation; use head 'paper' or sites 'all'");
        }
    }

    /** The activation function of the body. */
    public ActivationFunction bodyActivation() {
        return activation == null || sites == Sites.HEAD ? architecture.defaultActivation() : activation;
    }

    /** The activation function of the head. */
    public ActivationFunction headActivation() {
        return activation == null ? architecture.defaultActivation() : activation;
    }
}
