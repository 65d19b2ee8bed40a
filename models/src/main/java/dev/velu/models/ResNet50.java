package dev.velu.models;

import dev.velu.graph.Value;
import dev.velu.op.ActivationFunction;
import dev.velu.op.Pointwise;

/**
 * ResNet-50 v1.5 (He et al., CVPR 2016; the stride of a downsampling block is in its 3 x 3 convolution). Parameter names, shapes
 * and initial distributions are torchvision's.
 *
 * <pre>
 * stage    output (224)   layers
 * conv1    112 x 112      7 x 7, 64, stride 2
 * maxpool   56 x 56       3 x 3, stride 2
 * layer1    56 x 56       [1 x 1, 64;  3 x 3, 64;  1 x 1, 256]  x 3
 * layer2    28 x 28       [1 x 1, 128; 3 x 3, 128; 1 x 1, 512]  x 4
 * layer3    14 x 14       [1 x 1, 256; 3 x 3, 256; 1 x 1, 1024] x 6
 * layer4     7 x 7        [1 x 1, 512; 3 x 3, 512; 1 x 1, 2048] x 3
 * fc         1 x 1        average pool, linear
 * </pre>
 */
record ResNet50() implements Architecture {
    private static final int[] BLOCKS = {3, 4, 6, 3};
    private static final int EXPANSION = 4;

    @Override
    public String label() {
        return "resnet50";
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
        return Pointwise.RELU;
    }

    @Override
    public boolean standardHeadHasActivations() {
        return false;
    }

    @Override
    public Value features(NetworkBuilder net, Value images) {
        Value x = net.conv2d("conv1", images, 64, 7, 2, 3);
        x = net.batchNorm("bn1", x);
        x = net.activation("relu", x);
        x = net.maxPool2d("maxpool", x, 3, 2, 1);
        for (int stage = 0; stage < BLOCKS.length; stage++) {
            String name = "layer" + (stage + 1);
            for (int block = 0; block < BLOCKS[stage]; block++) {
                int stride = stage > 0 && block == 0 ? 2 : 1;
                x = bottleneck(net, name + "." + block, x, 64 << stage, stride);
            }
            net.stage(name, x);
        }
        return x;
    }

    private static Value bottleneck(NetworkBuilder net, String name, Value x, int width, int stride) {
        Value shortcut = x;
        Value y = net.conv2d(name + ".conv1", x, width, 1, 1, 0);
        y = net.batchNorm(name + ".bn1", y);
        y = net.activation(name + ".relu", y);
        y = net.conv2d(name + ".conv2", y, width, 3, stride, 1);
        y = net.batchNorm(name + ".bn2", y);
        y = net.activation(name + ".relu", y);
        y = net.conv2d(name + ".conv3", y, width * EXPANSION, 1, 1, 0);
        y = net.batchNorm(name + ".bn3", y);
        if (stride != 1 || NetworkBuilder.channels(x) != width * EXPANSION) {
            shortcut = net.conv2d(name + ".downsample.0", x, width * EXPANSION, 1, stride, 0);
            shortcut = net.batchNorm(name + ".downsample.1", shortcut);
        }
        y = net.activation(name + ".relu", net.add(name, y, shortcut));
        net.stage(name, y);
        return y;
    }

    @Override
    public Value classifier(NetworkBuilder net, Value features, int classes) {
        return net.linear("fc", net.globalAvgPool("avgpool", features), classes);
    }
}
