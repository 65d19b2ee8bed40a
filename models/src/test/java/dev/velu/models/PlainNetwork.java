package dev.velu.models;

import dev.velu.graph.Value;
import dev.velu.op.ActivationFunction;
import dev.velu.op.Pointwise;

/**
 * Two convolutions and a linear layer on 8 x 8 images, small enough to emulate.
 *
 * @param normalized whether batch norms follow the convolutions; without them images do not depend on their batch
 */
record PlainNetwork(boolean normalized) implements Architecture {
    static final int SIZE = 8;
    static final int CLASSES = 5;

    @Override
    public String label() {
        return "plain";
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
        return Pointwise.SILU;
    }

    @Override
    public boolean standardHeadHasActivations() {
        return false;
    }

    @Override
    public Value features(NetworkBuilder net, Value images) {
        return block(net, "2", block(net, "1", images));
    }

    private Value block(NetworkBuilder net, String number, Value x) {
        Value y = net.conv2d("conv" + number, x, 8, 3, 2, 1);
        return net.activation("act" + number, normalized ? net.batchNorm("bn" + number, y) : y);
    }

    @Override
    public Value classifier(NetworkBuilder net, Value features, int classes) {
        return net.linear("fc", net.globalAvgPool("avgpool", features), classes);
    }
}
