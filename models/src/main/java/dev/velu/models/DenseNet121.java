package dev.velu.models;

import dev.velu.graph.Value;
import dev.velu.nn.Initializer;
import dev.velu.op.ActivationFunction;
import dev.velu.op.Pointwise;

/**
 * DenseNet-121 with growth rate 32 (Huang et al., CVPR 2017). A layer of a dense block sees the outputs of all layers before it;
 * normalization and activation precede each convolution. Parameter names, shapes and initial distributions are torchvision's.
 *
 * <pre>
 * stage         output (224)   layers
 * conv0         112 x 112      7 x 7, 64, stride 2
 * pool0          56 x 56       3 x 3 max pool, stride 2
 * denseblock1    56 x 56       [1 x 1, 128; 3 x 3, 32] x 6
 * transition1    28 x 28       1 x 1, half the channels; 2 x 2 average pool, stride 2
 * denseblock2    28 x 28       [1 x 1, 128; 3 x 3, 32] x 12
 * transition2    14 x 14       1 x 1, half the channels; 2 x 2 average pool, stride 2
 * denseblock3    14 x 14       [1 x 1, 128; 3 x 3, 32] x 24
 * transition3     7 x 7        1 x 1, half the channels; 2 x 2 average pool, stride 2
 * denseblock4     7 x 7        [1 x 1, 128; 3 x 3, 32] x 16
 * classifier      1 x 1        average pool, linear
 * </pre>
 */
record DenseNet121() implements Architecture {
    private static final int[] LAYERS = {6, 12, 24, 16};
    private static final int GROWTH = 32;
    private static final int BOTTLENECK = 4;

    @Override
    public String label() {
        return "densenet121";
    }

    @Override
    public int defaultSize() {
        return 224;
    }

    @Override
    public int minimumSize() {
        return 29;
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
        Value x = convolution(net, "features.conv0", images, 64, 7, 2);
        x = net.batchNorm("features.norm0", x);
        x = net.activation("features.relu0", x);
        x = net.maxPool2d("features.pool0", x, 3, 2, 1);
        for (int block = 1; block <= LAYERS.length; block++) {
            x = denseBlock(net, "features.denseblock" + block, x, LAYERS[block - 1]);
            if (block < LAYERS.length) {
                x = transition(net, "features.transition" + block, x);
            }
        }
        x = net.batchNorm("features.norm5", x);
        net.stage("features", x);
        return net.activation("relu", x);
    }

    private static Value denseBlock(NetworkBuilder net, String name, Value x, int layers) {
        Value features = x;
        for (int layer = 1; layer <= layers; layer++) {
            Value added = denseLayer(net, name + ".denselayer" + layer, features);
            features = net.concat(name, features, added);
        }
        net.stage(name, features);
        return features;
    }

    private static Value denseLayer(NetworkBuilder net, String name, Value x) {
        Value y = net.batchNorm(name + ".norm1", x);
        y = net.activation(name + ".relu1", y);
        y = convolution(net, name + ".conv1", y, BOTTLENECK * GROWTH, 1, 1);
        y = net.batchNorm(name + ".norm2", y);
        y = net.activation(name + ".relu2", y);
        return convolution(net, name + ".conv2", y, GROWTH, 3, 1);
    }

    private static Value transition(NetworkBuilder net, String name, Value x) {
        Value y = net.batchNorm(name + ".norm", x);
        y = net.activation(name + ".relu", y);
        y = convolution(net, name + ".conv", y, NetworkBuilder.channels(x) / 2, 1, 1);
        y = net.avgPool2d(name + ".pool", y, 2, 2);
        net.stage(name, y);
        return y;
    }

    /** He initialization by the fan-in, unlike the other networks. */
    private static Value convolution(
            NetworkBuilder net, String name, Value x, long outChannels, int kernel, int stride) {
        return net.conv2d(
                name,
                x,
                Convolution.of(outChannels, kernel)
                        .stride(stride)
                        .initialized(Initializer.heNormal(NetworkBuilder.channels(x) * kernel * kernel)));
    }

    @Override
    public Value classifier(NetworkBuilder net, Value features, int classes) {
        Value x = net.globalAvgPool("avgpool", features);
        return net.linear(
                "classifier",
                x,
                classes,
                Initializer.torchDefault(NetworkBuilder.channels(x)),
                new Initializer.Constant(0));
    }
}
