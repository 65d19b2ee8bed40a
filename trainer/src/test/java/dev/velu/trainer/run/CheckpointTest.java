package dev.velu.trainer.run;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.velu.device.Device;
import dev.velu.safetensors.SafeTensorsException;
import dev.velu.safetensors.SafeTensorsWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CheckpointTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "config   | null          | config is not a run's configuration: it is not a JSON object",
                "config   | {}            | config is not a run's configuration: setting 'model' is missing or of the wrong"
                        + " kind",
                "config   | nonsense      | config is not JSON",
                "classes  | null          | the class names are null, expected one text or more",
                "classes  | []            | the class names are [], expected one text or more",
                "classes  | [null]        | the class names are [null], expected one text or more",
                "size     | 0             | image size 0 is outside 1..8192",
                "size     | x             | image size 'x' is not a whole number",
                "mean     | [1,2]         | mean is [1.0, 2.0], expected 3 numbers",
                "std      | null          | std is null, expected 3 numbers",
                "std      | [1,1,0]       | std [1.0, 1.0, 0.0] holds 0.0, which is not positive and finite",
                "progress | {}            | progress is unreadable",
                "progress | {\"epochs\":-1,\"steps_in_epoch\":0,\"steps\":0,\"loss_sum\":0,\"correct\":0,\"images\":0,"
                        + "\"w2_sum\":0,\"skipped_images\":0,\"best_top1\":0,\"best_epoch\":0} | progress holds a"
                        + " negative count",
            })
    void damagedMetadataIsNamed(String field, String value, String message) throws SafeTensorsException {
        Map<String, String> metadata = new TreeMap<>(Map.of(
                "format", "velu-checkpoint-1",
                "config", RunConfiguration.defaults().toJson(),
                "classes", "[\"cat\",\"dog\"]",
                "size", "16",
                "mean", "[0.5,0.5,0.5]",
                "std", "[0.25,0.25,0.25]"));
        metadata.put(field, value);
        Path file = folder.resolve("checkpoint.safetensors");
        SafeTensorsWriter.write(file, metadata, List.of());

        assertThatThrownBy(() -> new TrainedNetwork(file, Device.cpu(), 1, 1))
                .isInstanceOf(RunException.class)
                .hasMessageStartingWith(file + " has damaged metadata: " + message);
    }
}
