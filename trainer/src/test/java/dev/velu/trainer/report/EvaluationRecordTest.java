package dev.velu.trainer.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.velu.trainer.data.Dataset;
import dev.velu.trainer.data.DatasetCatalog;
import dev.velu.trainer.data.ShapesOptions;
import java.io.ByteArrayInputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EvaluationRecordTest {
    @TempDir
    Path folder;

    private static float[] scores(int best, float margin) {
        float[] logits = new float[10];
        logits[best] = margin;
        return logits;
    }

    /** Images 0 to 39; of every fourth one a wrong class is predicted, the more confidently the later. */
    private static Predictions predictions(Dataset dataset) {
        Predictions predictions = new Predictions();
        for (int i = 0; i < 40; i++) {
            int label = dataset.label(i);
            predictions.add(i, label, i % 4 == 3 ? scores((label + 1) % 10, 1 + 0.1f * i) : scores(label, 3));
        }
        return predictions;
    }

    private static EvaluationRecord record() {
        try (Dataset dataset = shapes()) {
            return EvaluationRecord.of(2, predictions(dataset), dataset);
        }
    }

    private static Dataset shapes() {
        return DatasetCatalog.open(
                        "shapes",
                        null,
                        ShapesOptions.defaults().withImageSize(24).withCounts(1, 40))
                .eval();
    }

    @Test
    void everyImageIsCountedOnceInTheConfusionMatrix() {
        EvaluationRecord record = record();
        assertThat(record.confusion().stream().mapToInt(cell -> cell[2]).sum()).isEqualTo(40);
        assertThat(record.confusion().stream()
                        .filter(cell -> cell[0] == cell[1])
                        .mapToInt(cell -> cell[2])
                        .sum())
                .isEqualTo(30);
    }

    @Test
    void theMostConfidentlyWrongImagesComeFirst() {
        List<EvaluationRecord.Sample> samples = record().samples();
        assertThat(samples.subList(0, 10))
                .extracting(EvaluationRecord.Sample::index)
                .containsExactly(39, 35, 31, 27, 23, 19, 15, 11, 7, 3);
        assertThat(samples.subList(10, 22)).allMatch(sample -> sample.actual() == sample.predicted());
    }

    @Test
    void theRightSamplesAreOfAsManyClassesAsPossible() {
        List<EvaluationRecord.Sample> right = record().samples().subList(10, 22);
        try (Dataset dataset = shapes()) {
            Predictions predictions = predictions(dataset);
            long classes = IntStream.range(0, 40)
                    .filter(predictions::isRight)
                    .map(predictions::actual)
                    .distinct()
                    .count();
            assertThat(right.stream()
                            .map(EvaluationRecord.Sample::actual)
                            .distinct()
                            .count())
                    .isEqualTo(Math.min(classes, 12));
        }
    }

    @Test
    void aSampleIsAPictureOfItsImage() throws Exception {
        EvaluationRecord.Sample sample = record().samples().getFirst();
        var picture = ImageIO.read(new ByteArrayInputStream(sample.png()));
        assertThat(List.of(picture.getWidth(), picture.getHeight())).containsExactly(24, 24);
        try (Dataset dataset = shapes()) {
            byte[] rgb = dataset.image(sample.index()).rgb();
            int middle = 12 * 24 + 5;
            assertThat(picture.getRGB(5, 12) >> 8 & 0xff).isEqualTo(rgb[3 * middle + 1] & 0xff);
        }
    }

    @Test
    void theConfidenceIsTheProbabilityOfThePredictedClass() {
        Predictions predictions = new Predictions();
        predictions.add(0, 1, new float[] {0, (float) Math.log(3)});
        assertThat(predictions.confidence(0)).isEqualTo(0.75f, within(1e-6f));
        assertThat(predictions.predicted(0)).isEqualTo(1);
    }

    @Test
    void manyPredictionsAreKept() {
        Predictions predictions = new Predictions();
        for (int i = 0; i < 5000; i++) {
            predictions.add(i, i % 3, new float[] {1, 0, 0});
        }
        assertThat(predictions.size()).isEqualTo(5000);
        assertThat(predictions.index(4999)).isEqualTo(4999);
    }

    @Test
    void theFileGivesBackWhatWasWritten() throws Exception {
        EvaluationRecord record = record();
        record.write(folder);
        assertThat(EvaluationRecord.read(folder)).usingRecursiveComparison().isEqualTo(record);
    }
}
