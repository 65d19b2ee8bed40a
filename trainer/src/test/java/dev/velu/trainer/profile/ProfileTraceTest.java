package dev.velu.trainer.profile;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigDecimal;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;

/** What the Trace Event Format asks for and viewers rely on. */
class ProfileTraceTest {
    private static final List<DecodeLog.Span> DECODED = List.of(
            new DecodeLog.Span("velu-decode-0", 0, 0, 8, 0, 4_000_000),
            new DecodeLog.Span("velu-decode-0", 0, 1, 8, 4_500_000, 5_500_000),
            new DecodeLog.Span("velu-decode-1", 0, 1, 8, 6_000_000, 7_000_000),
            new DecodeLog.Span("velu-decode-1", 0, 9, 8, 900_000_000, 901_000_000));

    private static JsonNode trace() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ProfileTrace.write(out, SampleProfile.profile(3), SampleProfile.conditions(), 5, DECODED);
        // Exact: fractions of a microsecond are compared below.
        return JsonMapper.builder()
                .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
                .build()
                .readTree(out.toByteArray());
    }

    private static List<JsonNode> events(String phase) throws IOException {
        return StreamSupport.stream(trace().path("traceEvents").spliterator(), false)
                .filter(event -> event.path("ph").asText().equals(phase))
                .toList();
    }

    private static List<JsonNode> events(String phase, String category) throws IOException {
        return events(phase).stream()
                .filter(event -> event.path("cat").asText().equals(category))
                .toList();
    }

    private static BigDecimal begin(JsonNode event) {
        return event.path("ts").decimalValue();
    }

    private static BigDecimal end(JsonNode event) {
        return begin(event).add(event.path("dur").decimalValue());
    }

    @Test
    void everyEventHasTheFieldsOfItsKind() throws IOException {
        assertThat(trace().path("displayTimeUnit").asText()).isEqualTo("ms");
        assertThat(trace().path("traceEvents")).isNotEmpty().allSatisfy(event -> {
            assertThat(event.path("name").asText()).isNotEmpty();
            assertThat(event.path("pid").isIntegralNumber()).isTrue();
            assertThat(event.path("tid").isIntegralNumber()).isTrue();
            assertThat(event.path("args").isObject()).isTrue();
            if (event.path("ph").asText().equals("X")) {
                assertThat(event.path("ts").isNumber()).isTrue();
                assertThat(event.path("ts").asDouble()).isNotNegative();
                assertThat(event.path("dur").isNumber()).isTrue();
                assertThat(event.path("dur").asDouble()).isNotNegative();
                assertThat(event.path("cat").asText()).isNotEmpty();
            } else {
                assertThat(event.path("ph").asText()).isEqualTo("M");
                assertThat(event.path("name").asText()).isIn("process_name", "thread_name", "thread_sort_index");
            }
        });
    }

    @Test
    void everyTrackHasAName() throws IOException {
        Map<Integer, String> names = events("M").stream()
                .filter(event -> event.path("name").asText().equals("thread_name"))
                .collect(Collectors.toMap(
                        event -> event.path("tid").asInt(),
                        event -> event.path("args").path("name").asText(),
                        (a, b) -> a + b,
                        TreeMap::new));
        assertThat(names.values())
                .containsExactly("steps", "phases", "layers", "operations", "velu-decode-0", "velu-decode-1");
        assertThat(events("X"))
                .allSatisfy(
                        event -> assertThat(names).containsKey(event.path("tid").asInt()));
    }

    @Test
    void eventsOfATrackFollowEachOtherOrLieWithinEachOther() throws IOException {
        Map<Integer, List<JsonNode>> tracks = events("X").stream()
                .collect(Collectors.groupingBy(event -> event.path("tid").asInt()));
        assertThat(tracks).hasSize(6);
        for (List<JsonNode> track : tracks.values()) {
            Deque<JsonNode> open = new ArrayDeque<>();
            for (JsonNode event : track.stream()
                    .sorted(Comparator.comparing(ProfileTraceTest::begin)
                            .thenComparing(
                                    Comparator.comparing(ProfileTraceTest::end).reversed()))
                    .toList()) {
                while (!open.isEmpty() && end(open.peek()).compareTo(begin(event)) <= 0) {
                    open.pop();
                }
                if (!open.isEmpty()) {
                    assertThat(end(event)).isLessThanOrEqualTo(end(open.peek()));
                }
                open.push(event);
            }
        }
    }

    @Test
    void stepsHaveTheNumbersOfTheRunAndTheirParts() throws IOException {
        assertThat(events("X", "step"))
                .extracting(event -> event.path("name").asText())
                .containsExactly("step 6", "step 7", "step 8");
        JsonNode first = events("X", "step").getFirst();
        assertThat(first.path("ts").asDouble()).isZero();
        assertThat(first.path("dur").asDouble()).isEqualTo(12_100);
        assertThat(first.path("args").path("native_ms").asDouble()).isEqualTo(10);
        assertThat(events("X", "part").subList(0, 4).stream()
                        .mapToDouble(part -> part.path("dur").asDouble())
                        .sum())
                .isEqualTo(12_100, within(1e-6));
    }

    @Test
    void operationsTellTheirLayerShapesAndRates() throws IOException {
        List<JsonNode> operations = events("X", "operation");
        assertThat(operations).hasSize(3 * 4);
        JsonNode conv = operations.getFirst();
        assertThat(conv.path("name").asText()).isEqualTo("conv2d_forward");
        assertThat(conv.path("ts").asDouble()).isEqualTo(1_600);
        assertThat(conv.path("dur").asDouble()).isEqualTo(1_000);
        JsonNode args = conv.path("args");
        assertThat(args.path("layer").asText()).isEqualTo("conv1");
        assertThat(args.path("phase").asText()).isEqualTo("forward");
        assertThat(args.path("inputs").asText()).isEqualTo("F32 [2, 8]");
        assertThat(args.path("bytes").asLong()).isEqualTo(1_000_000);
        assertThat(args.path("gigabytes_per_second").asDouble()).isEqualTo(1);
        assertThat(args.path("gigaflops").asDouble()).isEqualTo(50);
        assertThat(operations.get(1).path("args").path("layer").asText()).isEqualTo(ProfileReport.NETWORK);
    }

    @Test
    void neighboursOfOneLayerOrPhaseAreOneEvent() throws IOException {
        assertThat(events("X", "phase").subList(0, 3))
                .extracting(event ->
                        event.path("name").asText() + event.path("args").path("calls"))
                .containsExactly("forward2", "backward1", "optimizer1");
        assertThat(events("X", "layer").subList(0, 4))
                .extracting(event -> event.path("name").asText())
                .containsExactly("conv1", "(network)", "conv1", "optimizer");
    }

    @Test
    void decodingIsShownAsFarAsItFellIntoTheSteps() throws IOException {
        assertThat(events("X", "decode"))
                .extracting(
                        event -> event.path("name").asText(),
                        event -> event.path("ts").asDouble())
                .containsExactly(tuple("batch 2", 0.0), tuple("batch 2", 1_000.0));
    }
}
