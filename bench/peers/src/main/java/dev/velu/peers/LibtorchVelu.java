package dev.velu.peers;

import ai.djl.ndarray.NDArray;

/**
 * VeLU composed of libtorch's operations on whole tensors, differentiated by libtorch: what a user writes who has no fused kernel.
 * {@code y = lambda A(x), A = x sigmoid(alpha (atan(beta1 x) + asin(clip(beta2 x)))) (1 + gamma tanh(mu s))} with s a statistic of
 * x over the channels.
 */
record LibtorchVelu(Libtorch torch, VeluConstants constants) {
    /** The largest float32 below 1: at 1 the derivative of asin is infinite. */
    private static final float EDGE = Math.nextDown(1f);

    /**
     * @param y {@code lambda A}
     * @param w2 squared Wasserstein-2 distance of A's elements to N(0, 1), a scalar
     */
    record Output(NDArray y, NDArray w2) {}

    /** @param channels the axis over which the statistic is taken */
    Output apply(NDArray x, int channels, NDArray lambda) {
        NDArray gated = x.mul(gate(x)).mul(scale(x, channels));
        return new Output(gated.mul(lambda), w2(gated));
    }

    private NDArray gate(NDArray x) {
        NDArray angle = x.mul(torch.number(constants.beta1())).atan();
        NDArray clipped = x.mul(torch.number(constants.beta2())).clip(-EDGE, EDGE);
        return Libtorch.sigmoid(angle.add(clipped.asin()).mul(torch.number(constants.alpha())));
    }

    private NDArray scale(NDArray x, int channels) {
        int[] row = {channels};
        NDArray eps = torch.number(constants.eps());
        NDArray mu = torch.number(constants.mu());
        NDArray argument;
        if (constants.statistic().equals("inverse_rms")) {
            NDArray rms = x.square().mean(row, true).add(eps).sqrt();
            argument = rms.pow(torch.number(-1)).mul(mu);
        } else {
            argument = x.sub(x.mean(row, true))
                    .square()
                    .mean(row, true)
                    .add(eps)
                    .sqrt()
                    .mul(mu);
        }
        NDArray scale = argument.tanh().mul(torch.number(constants.gamma())).add(torch.number(1));
        return constants.scaleMin() == null ? scale : scale.clip(constants.scaleMin(), constants.scaleMax());
    }

    private NDArray w2(NDArray gated) {
        NDArray mean = gated.mean();
        NDArray std = gated.sub(mean).square().mean().sqrt();
        return mean.square().add(std.sub(torch.number(1)).square());
    }
}
