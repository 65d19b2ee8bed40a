package dev.velu.trainer.data;

import dev.velu.trainer.random.SplitMix;
import java.util.Arrays;
import java.util.List;

/** Some images of another data set, which it owns and closes. */
public final class Subset implements Dataset {

    private final Dataset whole;
    private final int[] indices;

    private Subset(Dataset whole, int[] indices) {
        this.whole = whole;
        this.indices = indices;
    }

    /**
     * The first {@code n} images of a seeded shuffle, in the order of the whole set: for the same set, {@code n} and
     * {@code seed} always the same images, and those for a smaller {@code n} are among those for a larger one.
     *
     * @return {@code dataset} itself if it has no more than {@code n} images
     * @throws DataException if {@code n} is not positive
     */
    public static Dataset limit(Dataset dataset, int n, long seed) {
        if (n <= 0) {
            throw new DataException("limit of " + n + " " + dataset.split() + " images is not positive; give 1 to "
                    + dataset.size() + ", or no limit for all");
        }
        if (n >= dataset.size()) {
            return dataset;
        }
        int[] order = new int[dataset.size()];
        SplitMix.of(seed, 0x5B5E7, 0).permutation(order);
        int[] indices = Arrays.copyOf(order, n);
        Arrays.sort(indices);
        return new Subset(dataset, indices);
    }

    @Override
    public String name() {
        return whole.name();
    }

    @Override
    public String split() {
        return whole.split();
    }

    @Override
    public int size() {
        return indices.length;
    }

    @Override
    public List<String> classNames() {
        return whole.classNames();
    }

    @Override
    public Normalization normalization() {
        return whole.normalization();
    }

    @Override
    public boolean horizontalFlip() {
        return whole.horizontalFlip();
    }

    @Override
    public int label(int index) {
        return whole.label(indices[index]);
    }

    @Override
    public DecodedImage image(int index) throws CorruptImageException {
        return whole.image(indices[index]);
    }

    @Override
    public String describe(int index) {
        return whole.describe(indices[index]);
    }

    @Override
    public void close() {
        whole.close();
    }
}
