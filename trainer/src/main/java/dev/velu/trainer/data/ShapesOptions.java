package dev.velu.trainer.data;

/**
 * What to draw for the data set {@code shapes}.
 *
 * @param trainCount images to train on, at least 1
 * @param evalCount images to evaluate on, at least 1
 * @param imageSize width and height of the drawn images in pixels, 8 to 1024
 * @param seed chooses the images; the same seed draws the same images whatever the counts
 */
public record ShapesOptions(int trainCount, int evalCount, int imageSize, long seed) {

    private static final int MIN_SIZE = 8;
    private static final int MAX_SIZE = 1024;

    /**
     * Checks the counts and the size.
     *
     * @throws DataException if a count or the size is out of range
     */
    public ShapesOptions {
        if (trainCount < 1) {
            throw new DataException("number of training shapes " + trainCount + " is not positive; draw at least 1");
        }
        if (evalCount < 1) {
            throw new DataException("number of evaluation shapes " + evalCount + " is not positive; draw at least 1");
        }
        if (imageSize < MIN_SIZE || imageSize > MAX_SIZE) {
            throw new DataException("shapes cannot be drawn at size " + imageSize + "; choose " + MIN_SIZE + " to "
                    + MAX_SIZE + " pixels");
        }
    }

    /** 4000 images to train on and 1000 to evaluate on, 64 x 64, seed 0. */
    public static ShapesOptions defaults() {
        return new ShapesOptions(4000, 1000, 64, 0);
    }

    /** The same images drawn at another size. */
    public ShapesOptions withImageSize(int size) {
        return new ShapesOptions(trainCount, evalCount, size, seed);
    }

    /** Other counts; the images that both have are the same. */
    public ShapesOptions withCounts(int train, int eval) {
        return new ShapesOptions(train, eval, imageSize, seed);
    }
}
