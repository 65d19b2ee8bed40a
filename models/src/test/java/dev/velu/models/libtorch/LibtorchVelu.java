package dev.velu.models.libtorch;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import dev.velu.op.VeluParameters;

/**
 * VeLU composed of libtorch's elementary functions as the paper writes it, and differentiated by libtorch.
 *
 * @param constants their float32 values are taken as exact
 */
public record LibtorchVelu(VeluParameters constants) {
    /** Smallest value of {@code (1 - beta2 x)(1 + beta2 x)} that the derivative of asin divides by the root of. */
    private static final double CLIP_FLOOR = 0x1p-23;

    /**
     * @param y {@code lambda A}
     * @param w2 squared Wasserstein-2 distance of A's elements to N(0, 1), a scalar
     */
    public record Output(NDArray y, NDArray w2) {}

    /**
     * @param channelAxis the axis over which the statistic of a row is taken
     * @param lambda of any shape that x's broadcasts to
     */
    public Output apply(NDArray x, int channelAxis, NDArray lambda) {
        int[] row = {channelAxis};
        NDArray statistic = switch (constants.statistic()) {
            case INVERSE_RMS -> {
                NDArray root = Libtorch.plus(x.square().mean(row, true), constants.eps())
                        .sqrt();
                yield root.onesLike().div(root);
            }
            case STD -> {
                NDArray centered = x.sub(x.mean(row, true));
                yield Libtorch.plus(centered.square().mean(row, true), constants.eps())
                        .sqrt();
            }
        };
        NDArray scale = Libtorch.plus(
                Libtorch.times(Libtorch.times(statistic, constants.mu()).tanh(), constants.gamma()), 1);
        if (constants.scale() != null) {
            scale = Libtorch.clip(
                    scale, constants.scale().min(), constants.scale().max());
        }
        NDArray angle = Libtorch.times(x, constants.beta1()).atan().add(clippedAsin(x));
        NDArray gate = Libtorch.sigmoid(Libtorch.times(angle, constants.alpha()));
        NDArray activation = x.mul(gate).mul(scale);
        NDArray mean = activation.mean();
        NDArray std = activation.sub(mean).square().mean().sqrt();
        return new Output(
                activation.mul(lambda), mean.square().add(Libtorch.plus(std, -1).square()));
    }

    /**
     * {@code asin(clip(beta2 x, -1, 1))}. Where asin is steeper than its floor allows, between the floor and the clip, its
     * slope is the floor's; outside the clip it is 0.
     */
    private NDArray clippedAsin(NDArray x) {
        NDArray u = Libtorch.times(x, constants.beta2());
        NDArray held = u.stopGradient();
        NDArray product = Libtorch.plus(Libtorch.times(held, -1), 1).mul(Libtorch.plus(held, 1));
        NDArray regular = product.gt(CLIP_FLOOR).toType(DataType.FLOAT64, false);
        NDArray steep = product.gt(0).toType(DataType.FLOAT64, false).sub(regular);
        NDArray elsewhere = regular.onesLike().sub(regular);
        return u.mul(regular)
                .asin()
                .add(Libtorch.clip(held, -1, 1).asin().mul(elsewhere))
                .add(Libtorch.times(u.sub(held).mul(steep), 1 / Math.sqrt(CLIP_FLOOR)));
    }
}
