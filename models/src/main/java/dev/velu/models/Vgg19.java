package dev.velu.models;

import dev.velu.graph.Value;
import dev.velu.nn.Initializer;
import dev.velu.op.ActivationFunction;
import dev.velu.op.Pointwise;

/**
 * VGG-19, configuration E of Simonyan and Zisserman (ICLR 2015), plain or with batch normalization behind each convolution.
 * Parameter names, shapes and initial distributions are torchvision's.
 *
 * <pre>
 * stage    output (224)   layers
 * 1        112 x 112      [3 x 3, 64]  x 2, max pool 2 x 2
 * 2         56 x 56       [3 x 3, 128] x 2, max pool 2 x 2
 * 3         28 x 28       [3 x 3, 256] x 4, max pool 2 x 2
 * 4         14 x 14       [3 x 3, 512] x 4, max pool 2 x 2
 * 5          7 x 7        [3 x 3, 512] x 4, max pool 2 x 2
 * fc         1 x 1        average pool to 7 x 7, 4096, 4096, classes; dropout 0.5 before the last two
 * </pre>
 */
record Vgg19(boolean batchNorm) implements Architecture {
    private static final int[] WIDTHS = {64, 128, 256, 512, 512};
    private static final int[] CONVOLUTIONS = {2, 2, 4, 4, 4};
    private static final int POOLED = 7;
    private static final int HIDDEN = 4096;
    private static final double DROPOUT = 0.5;

    @Override
    public String label() {
        return batchNorm ? "vgg19_bn" : "vgg19";
    }

    @Override
    public int defaultSize() {
        return 224;
    }

    @Override
    public int minimumSize() {
        return 1 << WIDTHS.length;
    }

    @Override
    public float learningRateFactor() {
        return 0.1f;
    }

    @Override
    public ActivationFunction defaultActivation() {
        return Pointwise.RELU;
    }

    @Override
    public boolean standardHeadHasActivations() {
        return true;
    }

    @Override
    public Value features(NetworkBuilder net, Value images) {
        Value x = images;
        int index = 0;
        for (int stage = 0; stage < WIDTHS.length; stage++) {
            for (int convolution = 0; convolution < CONVOLUTIONS[stage]; convolution++) {
                x = net.conv2d(
                        "features." + index++,
                        x,
                        Convolution.of(WIDTHS[stage], 3).biased());
                if (batchNorm) {
                    x = net.batchNorm("features." + index++, x);
                }
                x = net.activation("features." + index++, x);
            }
            x = net.maxPool2d("features." + index++, x, 2, 2, 0);
        }
        net.stage("features", x);
        return x;
    }

    @Override
    public Value classifier(NetworkBuilder net, Value features, int classes) {
        Initializer weight = new Initializer.Normal(0, 0.01f);
        Initializer bias = new Initializer.Constant(0);
        Value x = net.adaptiveAvgPool2d("avgpool", features, POOLED);
        x = net.flattenedLinear("classifier.0", x, HIDDEN, weight, bias);
        x = net.activation("classifier.1", x);
        x = net.dropout("classifier.2", x, DROPOUT);
        x = net.linear("classifier.3", x, HIDDEN, weight, bias);
        x = net.activation("classifier.4", x);
        x = net.dropout("classifier.5", x, DROPOUT);
        x = net.linear("classifier.6", x, classes, weight, bias);
        net.stage("classifier", x);
        return x;
    }
}
