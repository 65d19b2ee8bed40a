package dev.velu.models;

import dev.velu.device.Context;
import dev.velu.graph.Value;
import dev.velu.nn.Parameters;
import dev.velu.op.ActivationFunction;
import dev.velu.op.NormalizeImage;
import dev.velu.op.VeluParameters;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;

/** Convolution, batch norm with VeLU, pooling and a linear layer on 8 x 8 images: small enough to emulate. */
final class TinyNetwork implements Architecture {
    static final int BATCH = 4;
    static final int SIZE = 8;
    static final int CLASSES = 5;
    static final long IMAGE_BYTES = (long) BATCH * SIZE * SIZE * 3;
    static final long LABEL_BYTES = (long) BATCH * Integer.BYTES;

    private static final int CHANNELS = 8;

    /** Recorded, with initialized parameters on the context. */
    static Network on(Context context, boolean training) {
        NetworkSpec spec = new NetworkSpec(
                new TinyNetwork(),
                CLASSES,
                SIZE,
                VeluParameters.released(),
                NetworkSpec.Sites.ALL,
                NetworkSpec.Head.STANDARD,
                0.1f);
        Network network = Network.build(spec, new Parameters(), BATCH, training, NormalizeImage.imageNet());
        network.parameters().allocate(context, training);
        network.parameters().initialize(3);
        return network;
    }

    /** Writes the pixels and classes of one batch, another for every number. */
    static void batch(int number, MemorySegment images, MemorySegment labels) {
        Random random = new Random(number);
        for (long i = 0; i < images.byteSize(); i++) {
            images.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt(256));
        }
        for (int i = 0; i < BATCH; i++) {
            labels.setAtIndex(ValueLayout.JAVA_INT, i, random.nextInt(CLASSES));
        }
    }

    @Override
    public String label() {
        return "tiny";
    }

    @Override
    public int defaultSize() {
        return SIZE;
    }

    @Override
    public int minimumSize() {
        return SIZE;
    }

    @Override
    public ActivationFunction defaultActivation() {
        return VeluParameters.released();
    }

    @Override
    public boolean standardHeadHasActivations() {
        return false;
    }

    @Override
    public Value features(NetworkBuilder net, Value images) {
        Value x = net.conv2d("conv1", images, CHANNELS, 3, 1, 1);
        x = net.activation("act1", net.batchNorm("bn1", x));
        return net.maxPool2d("pool", x, 2, 2, 0);
    }

    @Override
    public Value classifier(NetworkBuilder net, Value features, int classes) {
        return net.linear("fc", net.globalAvgPool("avgpool", features), classes);
    }
}
