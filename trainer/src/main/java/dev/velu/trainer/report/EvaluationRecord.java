package dev.velu.trainer.report;

import dev.velu.trainer.data.CorruptImageException;
import dev.velu.trainer.data.Dataset;
import dev.velu.trainer.run.WholeFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;

/**
 * What an evaluation gave image by image, as {@code evaluation.json} keeps it.
 *
 * @param epoch after which it was, from 1
 * @param data name of the data set
 * @param images evaluated
 * @param classes names by class number
 * @param confusion {@code [actual class, predicted class, images]} for every pair that occurred, in order
 * @param samples some images: those most confidently misclassified, then some classified correctly
 */
public record EvaluationRecord(
        int epoch, String data, int images, List<String> classes, List<int[]> confusion, List<Sample> samples) {
    /** The file's name in the folder of a run. */
    public static final String FILE = "evaluation.json";

    private static final int WRONG_SAMPLES = 12;
    private static final int RIGHT_SAMPLES = 12;

    /**
     * One image.
     *
     * @param index in the data set
     * @param name what the data set calls it
     * @param actual its class
     * @param predicted the most probable class
     * @param confidence probability of that class
     * @param image a PNG as a {@code data:} address; null if it could not be decoded
     */
    public record Sample(int index, String name, int actual, int predicted, float confidence, String image) {
        /** The picture itself, or null. */
        public byte[] png() {
            return image == null ? null : Thumbnail.png(image);
        }
    }

    /** Sums up predictions, and takes the sample images from the data set that they were made on. */
    public static EvaluationRecord of(int epoch, Predictions predictions, Dataset dataset) {
        List<Sample> samples = new ArrayList<>();
        for (int i : mostConfidentlyWrong(predictions)) {
            samples.add(sample(i, predictions, dataset));
        }
        for (int i : someRight(predictions, dataset.classNames().size())) {
            samples.add(sample(i, predictions, dataset));
        }
        return new EvaluationRecord(
                epoch,
                dataset.name(),
                predictions.size(),
                List.copyOf(dataset.classNames()),
                confusion(predictions),
                samples);
    }

    private static List<int[]> confusion(Predictions predictions) {
        Map<Long, Integer> counts = new TreeMap<>();
        for (int i = 0; i < predictions.size(); i++) {
            counts.merge((long) predictions.actual(i) << Integer.SIZE | predictions.predicted(i), 1, Integer::sum);
        }
        List<int[]> cells = new ArrayList<>();
        counts.forEach((pair, count) -> cells.add(new int[] {(int) (pair >> Integer.SIZE), (int) (long) pair, count}));
        return cells;
    }

    private static int[] mostConfidentlyWrong(Predictions predictions) {
        return IntStream.range(0, predictions.size())
                .filter(i -> !predictions.isRight(i))
                .boxed()
                .sorted(Comparator.comparingDouble(i -> -predictions.confidence(i)))
                .limit(WRONG_SAMPLES)
                .mapToInt(Integer::intValue)
                .toArray();
    }

    /** The first ones of as many classes as possible: one round over the classes after the other. */
    private static List<Integer> someRight(Predictions predictions, int classes) {
        List<Integer> chosen = new ArrayList<>();
        int[] taken = new int[classes];
        for (int round = 0; chosen.size() < RIGHT_SAMPLES && round < RIGHT_SAMPLES; round++) {
            for (int i = 0; i < predictions.size() && chosen.size() < RIGHT_SAMPLES; i++) {
                if (predictions.isRight(i) && taken[predictions.actual(i)] == round && !chosen.contains(i)) {
                    taken[predictions.actual(i)]++;
                    chosen.add(i);
                }
            }
        }
        return chosen;
    }

    private static Sample sample(int i, Predictions predictions, Dataset dataset) {
        int index = predictions.index(i);
        String image = null;
        try {
            image = Thumbnail.of(dataset.image(index)).dataAddress();
        } catch (CorruptImageException e) {
            // It could be read a moment ago; the page shows the prediction without it.
        }
        return new Sample(
                index,
                dataset.describe(index),
                predictions.actual(i),
                predictions.predicted(i),
                predictions.confidence(i),
                image);
    }

    /** Writes the file into the folder of a run, whole or not at all. */
    public void write(Path folder) throws IOException {
        WholeFile.write(folder.resolve(FILE), ReportJson.write(this) + "\n");
    }

    /** Reads the file of a run; null if there is none. */
    public static EvaluationRecord read(Path folder) throws IOException {
        Path file = folder.resolve(FILE);
        return Files.exists(file)
                ? ReportJson.MAPPER.readValue(Files.readAllBytes(file), EvaluationRecord.class)
                : null;
    }
}
