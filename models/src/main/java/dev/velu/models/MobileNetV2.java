package dev.velu.models;

import dev.velu.graph.Value;
import dev.velu.nn.Initializer;
import dev.velu.op.ActivationFunction;
import dev.velu.op.Pointwise;

/**
 * MobileNetV2 (Sandler et al., CVPR 2018): inverted residuals with linear bottlenecks. Parameter names, shapes and initial
 * distributions are torchvision's.
 *
 * <pre>
 * output (224)   layers                               expansion   channels   blocks   stride of the first
 * 112 x 112      3 x 3                                                  32                2
 * 112 x 112      inverted residual                        1             16      1        1
 *  56 x 56       inverted residual                        6             24      2        2
 *  28 x 28       inverted residual                        6             32      3        2
 *  14 x 14       inverted residual                        6             64      4        2
 *  14 x 14       inverted residual                        6             96      3        1
 *   7 x 7        inverted residual                        6            160      3        2
 *   7 x 7        inverted residual                        6            320      1        1
 *   7 x 7        1 x 1                                                1280                1
 *   1 x 1        average pool, dropout 0.2, linear
 * </pre>
 *
 * An inverted residual is a 1 x 1 convolution that expands the channels (not for expansion 1), a depthwise 3 x 3 convolution
 * and a 1 x 1 convolution without activation; its input is added where shapes allow.
 */
record MobileNetV2() implements Architecture {
    private static final Stage[] STAGES = {
        new Stage(1, 16, 1, 1),
        new Stage(6, 24, 2, 2),
        new Stage(6, 32, 3, 2),
        new Stage(6, 64, 4, 2),
        new Stage(6, 96, 3, 1),
        new Stage(6, 160, 3, 2),
        new Stage(6, 320, 1, 1)
    };

    private record Stage(int expansion, int channels, int blocks, int stride) {}

    @Override
    public String label() {
        return "mobilenet_v2";
    }

    @Override
    public int defaultSize() {
        return 224;
    }

    @Override
    public int minimumSize() {
        return 1;
    }

    @Override
    public ActivationFunction defaultActivation() {
        return Pointwise.RELU6;
    }

    @Override
    public boolean standardHeadHasActivations() {
        return false;
    }

    @Override
    public Value features(NetworkBuilder net, Value images) {
        int index = 0;
        Value x = convolution(
                net, "features." + index, images, Convolution.of(32, 3).stride(2));
        net.stage("features." + index++, x);
        for (Stage stage : STAGES) {
            for (int block = 0; block < stage.blocks(); block++) {
                int stride = block == 0 ? stage.stride() : 1;
                x = invertedResidual(net, "features." + index, x, stage.expansion(), stage.channels(), stride);
                net.stage("features." + index++, x);
            }
        }
        x = convolution(net, "features." + index, x, Convolution.of(1280, 1));
        net.stage("features." + index, x);
        net.stage("features", x);
        return x;
    }

    private static Value invertedResidual(
            NetworkBuilder net, String name, Value x, int expansion, int channels, int stride) {
        long expanded = NetworkBuilder.channels(x) * expansion;
        Value y = x;
        int index = 0;
        if (expansion != 1) {
            y = convolution(net, name + ".conv." + index++, y, Convolution.of(expanded, 1));
        }
        y = convolution(
                net,
                name + ".conv." + index++,
                y,
                Convolution.of(expanded, 3).stride(stride).depthwise());
        y = net.conv2d(name + ".conv." + index++, y, Convolution.of(channels, 1));
        y = net.batchNorm(name + ".conv." + index, y);
        return stride == 1 && NetworkBuilder.channels(x) == channels ? net.add(name, x, y) : y;
    }

    /** Convolution, batch normalization, activation. */
    private static Value convolution(NetworkBuilder net, String name, Value x, Convolution convolution) {
        Value y = net.conv2d(name + ".0", x, convolution);
        y = net.batchNorm(name + ".1", y);
        return net.activation(name + ".2", y);
    }

    @Override
    public Value classifier(NetworkBuilder net, Value features, int classes) {
        Value x = net.globalAvgPool("avgpool", features);
        x = net.dropout("classifier.0", x, 0.2);
        x = net.linear("classifier.1", x, classes, new Initializer.Normal(0, 0.01f), new Initializer.Constant(0));
        net.stage("classifier", x);
        return x;
    }
}
