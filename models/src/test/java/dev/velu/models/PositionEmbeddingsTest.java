package dev.velu.models;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Against numbers of torch: {@code torch.nn.functional.interpolate(mode="bicubic", align_corners=True)} of the rows after the
 * first, as torchvision's {@code interpolate_embeddings} calls it.
 */
class PositionEmbeddingsTest {
    private static float[] floats(JsonNode values) {
        float[] floats = new float[values.size()];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = (float) values.get(i).asDouble();
        }
        return floats;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4, 5})
    void areResizedAsTorchDoes(int side) throws IOException {
        try (InputStream in = PositionEmbeddingsTest.class.getResourceAsStream("position_embeddings.json")) {
            JsonNode numbers = new ObjectMapper().readTree(in);
            float[] expected = floats(numbers.path("resized").path(String.valueOf(side)));

            float[] resized = PositionEmbeddings.resize(
                    floats(numbers.path("embeddings")),
                    numbers.path("side").asInt(),
                    side,
                    numbers.path("width").asInt());

            assertThat(resized).hasSize(expected.length);
            for (int i = 0; i < expected.length; i++) {
                assertThat(Math.abs(resized[i] - expected[i])).isLessThan(2e-6f);
            }
        }
    }
}
