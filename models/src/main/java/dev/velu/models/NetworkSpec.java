package dev.velu.models;

import dev.velu.device.Device;
import dev.velu.device.DeviceInfo;
import dev.velu.op.ActivationFunction;
import dev.velu.op.W2;
import dev.velu.tensor.DType;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

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
 * @param precision what activations are stored and multiplied in
 * @param w2 how the Wasserstein-2 term is taken; it changes the gradient, not what the network computes
 */
public record NetworkSpec(
        Architecture architecture,
        int classes,
        int size,
        ActivationFunction activation,
        Sites sites,
        Head head,
        float w2Weight,
        Precision precision,
        W2 w2) {
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

    /**
     * What activations, their gradients and the weights that they are multiplied with are stored in. Parameters, their
     * gradients, statistics, logits and loss are float32 in either.
     */
    public enum Precision {
        /** float32. */
        FP32(DType.F32),
        /** bfloat16; sums are accumulated in float32. */
        BF16(DType.BF16);

        private final DType dtype;

        Precision(DType dtype) {
            this.dtype = dtype;
        }

        /** As on the command line: {@code fp32} or {@code bf16}. */
        public String label() {
            return name().toLowerCase(Locale.ROOT);
        }

        /**
         * The precision of a label.
         *
         * @throws IllegalArgumentException for an unknown one; lists the known ones
         */
        public static Precision named(String label) {
            return Arrays.stream(values())
                    .filter(precision -> precision.label().equals(label))
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException("unknown precision '" + label + "'; use one of "
                            + Arrays.stream(values()).map(Precision::label).collect(Collectors.joining(", "))));
        }

        DType dtype() {
            return dtype;
        }

        /**
         * Checks that a device computes in it.
         *
         * @throws IllegalArgumentException if networks are not computed in it on the device; says what the device lacks
         */
        public void requireOn(Device device) {
            if (this == BF16 && device.kind() == Device.Kind.CPU) {
                requireOn(DeviceInfo.query(device));
            }
        }

        void requireOn(DeviceInfo device) {
            if (this == BF16 && !device.bfloat16()) {
                throw new IllegalArgumentException("precision " + label() + " is not computed on device "
                        + device.device() + ", whose processor (" + device.name()
                        + ") has no AVX512_BF16; use precision "
                        + FP32.label() + " or a CUDA device");
            }
        }
    }

    /** In float32. */
    public NetworkSpec(
            Architecture architecture,
            int classes,
            int size,
            ActivationFunction activation,
            Sites sites,
            Head head,
            float w2Weight) {
        this(architecture, classes, size, activation, sites, head, w2Weight, Precision.FP32);
    }

    /** With the Wasserstein-2 term of the released layer. */
    public NetworkSpec(
            Architecture architecture,
            int classes,
            int size,
            ActivationFunction activation,
            Sites sites,
            Head head,
            float w2Weight,
            Precision precision) {
        this(architecture, classes, size, activation, sites, head, w2Weight, precision, W2.GAUSSIAN);
    }

    /**
     * Checks the constants.
     *
     * @throws IllegalArgumentException if the number of classes or the image size is not positive, the architecture
     *     does not take such images, the weight of W2 is negative, or the sites of the head are asked for in a head
     *     without activation
     */
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
        if (size % architecture.sizeMultiple() != 0) {
            int below = size - size % architecture.sizeMultiple();
            throw new IllegalArgumentException("image size " + size + " does not fit " + architecture.label()
                    + ", which takes multiples of " + architecture.sizeMultiple() + "; use " + below + " or "
                    + (below + architecture.sizeMultiple()));
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
