package dev.velu.models;

import dev.velu.graph.Value;
import dev.velu.nn.Initializer;
import dev.velu.op.ActivationFunction;
import dev.velu.op.Pointwise;

/**
 * Vision Transformer ViT-B/16 (Dosovitskiy et al., ICLR 2021). Parameter names, shapes and initial distributions are
 * torchvision's.
 *
 * <pre>
 * part       output (224)   layers
 * patches    196 x 768      16 x 16 convolution, stride 16: one token for each patch
 * encoder    197 x 768      class token, position embedding
 *            197 x 768      [x + attention(norm(x)), 12 heads; x + mlp(norm(x)), hidden 3072] x 12
 *            197 x 768      norm
 * head         1 x 1        class token, linear
 * </pre>
 *
 * The position embedding has an entry for each patch, so the number of parameters depends on the image size.
 */
record VisionTransformerB16() implements Architecture {
    private static final int PATCH = 16;
    private static final int WIDTH = 768;
    private static final int LAYERS = 12;
    private static final int HEADS = 12;
    private static final int HIDDEN = 3072;
    private static final float LAYER_NORM_EPS = 1e-6f;
    private static final Initializer ZERO = new Initializer.Constant(0);

    @Override
    public String label() {
        return "vit_b_16";
    }

    @Override
    public int defaultSize() {
        return 224;
    }

    @Override
    public int minimumSize() {
        return PATCH;
    }

    @Override
    public int sizeMultiple() {
        return PATCH;
    }

    @Override
    public float learningRateFactor() {
        return 0.1f;
    }

    @Override
    public ActivationFunction defaultActivation() {
        return Pointwise.GELU;
    }

    @Override
    public boolean standardHeadHasActivations() {
        return false;
    }

    @Override
    public Value features(NetworkBuilder net, Value images) {
        Value classToken = net.parameter("class_token", ZERO, 1, 1, WIDTH);
        Value x = net.conv2d("conv_proj", images, patchProjection(NetworkBuilder.channels(images)));
        x = net.tokens("conv_proj", x);
        x = net.tokenEmbedding("encoder", x, classToken, new Initializer.Normal(0, 0.02f));
        for (int layer = 0; layer < LAYERS; layer++) {
            x = encoderLayer(net, "encoder.layers.encoder_layer_" + layer, x);
        }
        net.stage("encoder.layers", x);
        x = net.layerNorm("encoder.ln", x, LAYER_NORM_EPS);
        net.stage("encoder", x);
        return net.firstToken("encoder", x);
    }

    private static Convolution patchProjection(long channels) {
        float std = (float) Math.sqrt(1.0 / (channels * PATCH * PATCH));
        return Convolution.of(WIDTH, PATCH)
                .stride(PATCH)
                .padding(0)
                .biased()
                .initialized(new Initializer.TruncatedNormal(0, std, -2, 2));
    }

    private static Value encoderLayer(NetworkBuilder net, String name, Value x) {
        Value y = net.layerNorm(name + ".ln_1", x, LAYER_NORM_EPS);
        y = net.selfAttention(name + ".self_attention", y, HEADS);
        Value attended = net.add(name, y, x);
        y = net.layerNorm(name + ".ln_2", attended, LAYER_NORM_EPS);
        y = mlp(net, name + ".mlp", y);
        y = net.add(name, attended, y);
        net.stage(name, y);
        return y;
    }

    private static Value mlp(NetworkBuilder net, String name, Value x) {
        Initializer weight = Initializer.xavierUniform(WIDTH, HIDDEN);
        Initializer bias = new Initializer.Normal(0, 1e-6f);
        Value y = net.linear(name + ".0", x, HIDDEN, weight, bias);
        y = net.activation(name + ".1", y);
        return net.linear(name + ".3", y, WIDTH, weight, bias);
    }

    @Override
    public Value classifier(NetworkBuilder net, Value features, int classes) {
        Value x = net.linear("heads.head", features, classes, ZERO, ZERO);
        net.stage("heads", x);
        return x;
    }
}
