package dev.velu.trainer.data;

/**
 * The two splits of a data set; owns both.
 *
 * @param train what is trained on
 * @param eval what is evaluated on, with the same classes
 */
public record DatasetPair(Dataset train, Dataset eval) implements AutoCloseable {

    /**
     * Checks that both splits have the same classes.
     *
     * @throws IllegalArgumentException if the class names of the splits differ
     */
    public DatasetPair {
        if (!train.classNames().equals(eval.classNames())) {
            throw new IllegalArgumentException(
                    "train has classes " + train.classNames() + ", eval has " + eval.classNames());
        }
    }

    @Override
    public void close() {
        try (eval) {
            train.close();
        }
    }
}
