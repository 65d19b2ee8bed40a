package dev.velu.peers.vector;

import dev.velu.peers.VeluConstants;
import java.util.Arrays;

/**
 * VeLU fused in Java with the Vector API, float32 over arrays: what someone writes who wants it fast without native code. Blocks
 * of rows of about 32 KiB go through all steps while they are in the cache ({@link VeluRows}) and are divided over the threads of a
 * {@link Team}. Sums are float32 within a block and float64 between blocks.
 *
 * <p>Tensors are {@code [rows][channels]}; inputs and outputs are different arrays. Used by one thread at a time.
 */
public final class VectorVelu {
    /** Mean and population standard deviation of A over all elements, and {@code w2 = mean^2 + (std - 1)^2}. */
    public record Moments(double mean, double std, double w2) {}

    private static final int BLOCK = 8192;
    /** Beyond it a gate's argument could leave the range of the exponential. */
    private static final double MAX_ALPHA = 25;

    private final Team team;
    private final int rows;
    private final int channels;
    private final int blockRows;
    private final int blocks;
    private final VeluRows[] members;
    private final Sums[] sums;
    private final double[] dlambdas;

    /**
     * @throws IllegalArgumentException if the shape or the constants are not served; says which are
     */
    public VectorVelu(VeluConstants constants, int rows, int channels, Team team) {
        if (rows < 1 || channels < 1 || (long) rows * channels > Integer.MAX_VALUE - BLOCK) {
            throw new IllegalArgumentException(
                    "shape " + rows + " x " + channels + " is not one of 1 to 2^31 elements, which arrays hold");
        }
        if (Math.abs(constants.alpha()) > MAX_ALPHA
                || !constants.statistic().equals("inverse_rms")
                || constants.scaleMin() != null) {
            throw new IllegalArgumentException(constants + " is not served: only |alpha| up to " + MAX_ALPHA
                    + ", statistic inverse_rms and no clamp are");
        }
        this.team = team;
        this.rows = rows;
        this.channels = channels;
        blockRows = Math.clamp(BLOCK / channels, 1, rows);
        blocks = Math.ceilDiv(rows, blockRows);
        members = new VeluRows[team.size()];
        Arrays.setAll(members, member -> new VeluRows(constants, blockRows, channels));
        sums = new Sums[blocks];
        dlambdas = new double[blocks];
    }

    /** {@code y = lambda A} and the moments of A. */
    public Moments forward(float[] x, float lambda, float[] y) {
        team.run(member -> {
            for (int block = member; block < blocks; block += team.size()) {
                sums[block] = members[member].forward(x, lambda, y, block * blockRows, rowsOf(block), channels);
            }
        });
        Sums all = sums[0];
        for (int block = 1; block < blocks; block++) {
            all = all.join(sums[block]);
        }
        double std = Math.sqrt(all.squares() / all.count());
        return new Moments(all.mean(), std, all.mean() * all.mean() + (std - 1) * (std - 1));
    }

    /**
     * {@code dx}, the gradient of {@code sum(dy y) + w2Weight w2}.
     *
     * @param moments what forward gave
     * @return the gradient of lambda
     */
    public double backward(float[] x, float[] dy, float lambda, float w2Weight, Moments moments, float[] dx) {
        double perElement = 2 * w2Weight / ((double) rows * channels);
        double slope = moments.std() == 0 ? 0 : perElement * (moments.std() - 1) / moments.std();
        VeluRows.W2 w2 = new VeluRows.W2((float) (perElement * moments.mean() - slope * moments.mean()), (float) slope);
        team.run(member -> {
            for (int block = member; block < blocks; block += team.size()) {
                dlambdas[block] =
                        members[member].backward(x, dy, lambda, w2, dx, block * blockRows, rowsOf(block), channels);
            }
        });
        return Arrays.stream(dlambdas).sum();
    }

    private int rowsOf(int block) {
        return Math.min(blockRows, rows - block * blockRows);
    }
}
