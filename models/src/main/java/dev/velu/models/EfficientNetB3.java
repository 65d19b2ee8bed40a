package dev.velu.models;

import dev.velu.graph.Value;
import dev.velu.nn.Initializer;
import dev.velu.op.ActivationFunction;
import dev.velu.op.Pointwise;

/**
 * EfficientNet-B3 (Tan and Le, ICML 2019): B0 with 1.2 times its width and 1.4 times its depth. Parameter names, shapes and
 * initial distributions are torchvision's.
 *
 * <pre>
 * output (300)   layers            expansion   kernel   channels   blocks   stride of the first
 * 150 x 150      convolution                   3 x 3        40                2
 * 150 x 150      MBConv                1       3 x 3        24        2       1
 *  75 x 75       MBConv                6       3 x 3        32        3       2
 *  38 x 38       MBConv                6       5 x 5        48        3       2
 *  19 x 19       MBConv                6       3 x 3        96        5       2
 *  19 x 19       MBConv                6       5 x 5       136        5       1
 *  10 x 10       MBConv                6       5 x 5       232        6       2
 *  10 x 10       MBConv                6       3 x 3       384        2       1
 *  10 x 10       convolution                   1 x 1      1536                1
 *   1 x 1        average pool, dropout 0.3, linear
 * </pre>
 *
 * An MBConv is a 1 x 1 convolution that expands the channels (not for expansion 1), a depthwise convolution, squeeze-excitation
 * and a 1 x 1 convolution without activation; its input is added where shapes allow, with stochastic depth.
 */
record EfficientNetB3() implements Architecture {
    private static final Stage[] STAGES = {
        new Stage(1, 3, 24, 2, 1),
        new Stage(6, 3, 32, 3, 2),
        new Stage(6, 5, 48, 3, 2),
        new Stage(6, 3, 96, 5, 2),
        new Stage(6, 5, 136, 5, 1),
        new Stage(6, 5, 232, 6, 2),
        new Stage(6, 3, 384, 2, 1)
    };
    private static final int BLOCKS = 26;
    private static final double STOCHASTIC_DEPTH = 0.2;

    private record Stage(int expansion, int kernel, int channels, int blocks, int stride) {}

    @Override
    public String label() {
        return "efficientnet_b3";
    }

    @Override
    public int defaultSize() {
        return 300;
    }

    @Override
    public int minimumSize() {
        return 1;
    }

    @Override
    public ActivationFunction defaultActivation() {
        return Pointwise.SILU;
    }

    @Override
    public boolean standardHeadHasActivations() {
        return false;
    }

    @Override
    public Value features(NetworkBuilder net, Value images) {
        Value x = convolution(net, "features.0", images, Convolution.of(40, 3).stride(2));
        net.stage("features.0", x);
        int number = 0;
        for (int stage = 1; stage <= STAGES.length; stage++) {
            String name = "features." + stage;
            for (int block = 0; block < STAGES[stage - 1].blocks(); block++) {
                double skipProbability = STOCHASTIC_DEPTH * number++ / BLOCKS;
                x = mbConv(net, name + "." + block, x, STAGES[stage - 1], block == 0, skipProbability);
            }
            net.stage(name, x);
        }
        x = convolution(net, "features.8", x, Convolution.of(1536, 1));
        net.stage("features.8", x);
        net.stage("features", x);
        return x;
    }

    private static Value mbConv(
            NetworkBuilder net, String name, Value x, Stage stage, boolean first, double skipProbability) {
        long channels = NetworkBuilder.channels(x);
        long expanded = channels * stage.expansion();
        int stride = first ? stage.stride() : 1;
        Value y = x;
        int index = 0;
        if (stage.expansion() != 1) {
            y = convolution(net, name + ".block." + index++, y, Convolution.of(expanded, 1));
        }
        Convolution depthwise =
                Convolution.of(expanded, stage.kernel()).stride(stride).depthwise();
        y = convolution(net, name + ".block." + index++, y, depthwise);
        y = squeezeExcitation(net, name + ".block." + index++, y, channels / 4);
        y = net.conv2d(name + ".block." + index + ".0", y, Convolution.of(stage.channels(), 1));
        y = net.batchNorm(name + ".block." + index + ".1", y);
        if (stride != 1 || channels != stage.channels()) {
            return y;
        }
        return net.add(name, net.stochasticDepth(name + ".stochastic_depth", y, skipProbability), x);
    }

    /** Weighs each channel by a gate that depends on the means of all; both its functions stay as they are. */
    private static Value squeezeExcitation(NetworkBuilder net, String name, Value x, long squeezed) {
        Value gate = net.adaptiveAvgPool2d(name + ".avgpool", x, 1);
        gate = net.conv2d(name + ".fc1", gate, Convolution.of(squeezed, 1).biased());
        gate = net.pointwise(name + ".activation", Pointwise.SILU, gate);
        gate = net.conv2d(
                name + ".fc2",
                gate,
                Convolution.of(NetworkBuilder.channels(x), 1).biased());
        return net.channelScale(name, x, net.pointwise(name + ".scale_activation", Pointwise.SIGMOID, gate));
    }

    /** Convolution, batch normalization, activation. */
    private static Value convolution(NetworkBuilder net, String name, Value x, Convolution convolution) {
        Value y = net.conv2d(name + ".0", x, convolution);
        y = net.batchNorm(name + ".1", y);
        return net.activation(name + ".2", y);
    }

    @Override
    public Value classifier(NetworkBuilder net, Value features, int classes) {
        float bound = (float) (1 / Math.sqrt(classes));
        Value x = net.dropout("classifier.0", net.globalAvgPool("avgpool", features), 0.3);
        x = net.linear("classifier.1", x, classes, new Initializer.Uniform(-bound, bound), new Initializer.Constant(0));
        net.stage("classifier", x);
        return x;
    }
}
