package dev.velu.trainer.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The published files, where they lie on this machine: property {@code velu.test.data}, or {@code ../shared/data}. */
class RealDataTest {

    private static Path required(String name) {
        String configured = System.getProperty("velu.test.data", "");
        Stream<Path> places = configured.isBlank()
                ? Stream.of(Path.of("../shared/data"), Path.of("../../shared/data"))
                : Stream.of(Path.of(configured));
        Path found = places.map(place -> place.resolve(name))
                .filter(Files::exists)
                .findFirst()
                .orElse(null);
        assumeTrue(found != null, name + " is in no data folder; name one by -Dvelu.test.data=DIR");
        return found;
    }

    private static int count(Dataset dataset, int imageSize) throws Exception {
        int images = 0;
        try (BatchPipeline pipeline = BatchPipeline.builder(dataset)
                .batchSize(64)
                .imageSize(imageSize)
                .shuffle(true)
                .decodeThreads(2)
                .build()) {
            pipeline.startEpoch(0, 0);
            for (Batch batch = pipeline.next(); batch != null; batch = pipeline.next()) {
                images += batch.count();
                batch.release();
            }
        }
        return images;
    }

    @Test
    void mnistHasItsPublishedSizesAndFirstDigits() throws Exception {
        Path folder = required("mnist");
        try (DatasetPair pair = DatasetCatalog.open("mnist", folder)) {
            assertThat(pair.train().size()).isEqualTo(60_000);
            assertThat(pair.eval().size()).isEqualTo(10_000);
            assertThat(new int[] {
                        pair.train().label(0),
                        pair.train().label(1),
                        pair.eval().label(0)
                    })
                    .containsExactly(5, 0, 7);
            assertThat(pair.train().image(0).width()).isEqualTo(28);
            assertThat(count(pair.eval(), 32)).isEqualTo(10_000);
        }
    }

    @Test
    void cifarZipIsReadInPlace() throws Exception {
        Path zip = required("cifar10-jpg.zip");
        try (DatasetPair pair = DatasetCatalog.open("zip:" + zip, null)) {
            assertThat(pair.train().size()).isEqualTo(50_000);
            assertThat(pair.eval().size()).isEqualTo(10_000);
            assertThat(pair.train().classNames())
                    .hasSize(10)
                    .startsWith("airplane")
                    .endsWith("truck");
            assertThat(pair.train().label(49_999)).isEqualTo(9);
            assertThat(count(Subset.limit(pair.train(), 2000, 1), 32)).isEqualTo(2000);
        }
    }
}
