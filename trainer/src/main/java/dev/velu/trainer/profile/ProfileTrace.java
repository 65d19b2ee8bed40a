package dev.velu.trainer.profile;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.StreamWriteFeature;
import dev.velu.graph.PlannedCall;
import dev.velu.models.StepProfile;
import java.io.IOException;
import java.io.OutputStream;
import java.math.BigDecimal;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/**
 * A profile in the Trace Event Format, which Perfetto and chrome://tracing open: complete events (phase {@code X}) in
 * microseconds since the first step began, on one track each for steps, phases, layers and operations, and one for each decode
 * thread. Events of a track follow each other or lie within each other.
 */
public final class ProfileTrace {
    private static final int PROCESS = 1;
    private static final int STEPS = 1;
    private static final int PHASES = 2;
    private static final int LAYERS = 3;
    private static final int OPERATIONS = 4;
    private static final int DECODING = 5;

    private final JsonGenerator json;
    private final StepProfile profile;
    private final long origin;

    private ProfileTrace(JsonGenerator json, StepProfile profile) {
        this.json = json;
        this.profile = profile;
        this.origin = profile.steps().getFirst().begin();
    }

    /**
     * Writes the trace as UTF-8; leaves the stream open.
     *
     * @param profile of one step at least
     * @param firstStep number of the first step in the run, from 0
     * @param decoded beside the steps; what ended before the first or began after the last is left out
     */
    public static void write(
            OutputStream out, StepProfile profile, Conditions conditions, long firstStep, List<DecodeLog.Span> decoded)
            throws IOException {
        JsonFactory factory = JsonFactory.builder()
                .disable(StreamWriteFeature.AUTO_CLOSE_TARGET)
                .build();
        try (JsonGenerator json = factory.createGenerator(out)) {
            new ProfileTrace(json, profile).write(conditions, firstStep, decoded);
        }
    }

    private void write(Conditions conditions, long firstStep, List<DecodeLog.Span> decoded) throws IOException {
        json.writeStartObject();
        json.writeStringField("displayTimeUnit", "ms");
        json.writeArrayFieldStart("traceEvents");
        name(
                "process_name",
                0,
                "velu: " + conditions.model() + " with " + conditions.activation() + " on " + conditions.device());
        track(STEPS, "steps");
        track(PHASES, "phases");
        track(LAYERS, "layers");
        track(OPERATIONS, "operations");
        for (int i = 0; i < profile.steps().size(); i++) {
            StepProfile.Step step = profile.steps().get(i);
            step(step, firstStep + i);
            runs(step, PHASES, "phase", call -> call.phase().name().toLowerCase(Locale.ROOT));
            runs(step, LAYERS, "layer", ProfileReport::layer);
            operations(step);
        }
        decoding(decoded);
        json.writeEndArray();
        json.writeEndObject();
    }

    private void track(int track, String name) throws IOException {
        name("thread_name", track, name);
        json.writeStartObject();
        json.writeStringField("ph", "M");
        json.writeStringField("name", "thread_sort_index");
        json.writeNumberField("pid", PROCESS);
        json.writeNumberField("tid", track);
        json.writeObjectFieldStart("args");
        json.writeNumberField("sort_index", track);
        json.writeEndObject();
        json.writeEndObject();
    }

    private void name(String kind, int track, String name) throws IOException {
        json.writeStartObject();
        json.writeStringField("ph", "M");
        json.writeStringField("name", kind);
        json.writeNumberField("pid", PROCESS);
        json.writeNumberField("tid", track);
        json.writeObjectFieldStart("args");
        json.writeStringField("name", name);
        json.writeEndObject();
        json.writeEndObject();
    }

    private void step(StepProfile.Step step, long number) throws IOException {
        begin(STEPS, "step", "step " + (number + 1), step.begin(), step.end());
        json.writeNumberField("native_ms", step.nativeNanos() / 1e6);
        json.writeNumberField("outside_native_ms", (step.nanos() - step.nativeNanos()) / 1e6);
        end();
        part("wait for the batch", step.begin(), step.submitted());
        part("copy the batch to the device", step.submitted(), step.copied());
        part("native calls", step.copied(), step.computed());
        part("read the results", step.computed(), step.end());
    }

    private void part(String name, long begin, long end) throws IOException {
        begin(STEPS, "part", name, begin, end);
        end();
    }

    /** One event for each run of calls that have a name in common. */
    private void runs(StepProfile.Step step, int track, String category, Function<PlannedCall, String> name)
            throws IOException {
        List<PlannedCall> calls = profile.calls();
        int first = 0;
        for (int i = 1; i <= calls.size(); i++) {
            String run = name.apply(calls.get(first));
            if (i == calls.size() || !name.apply(calls.get(i)).equals(run)) {
                begin(
                        track,
                        category,
                        run,
                        step.callBegins().get(first),
                        step.callEnds().get(i - 1));
                json.writeNumberField("calls", i - first);
                end();
                first = i;
            }
        }
    }

    private void operations(StepProfile.Step step) throws IOException {
        for (int i = 0; i < profile.calls().size(); i++) {
            PlannedCall call = profile.calls().get(i);
            begin(
                    OPERATIONS,
                    "operation",
                    call.operation(),
                    step.callBegins().get(i),
                    step.callEnds().get(i));
            json.writeStringField("layer", ProfileReport.layer(call));
            json.writeStringField("phase", call.phase().name().toLowerCase(Locale.ROOT));
            json.writeStringField("inputs", String.join(", ", present(ProfileReport.types(call.inputs()))));
            json.writeStringField("outputs", String.join(", ", present(ProfileReport.types(call.outputs()))));
            json.writeNumberField("bytes", call.bytes());
            json.writeNumberField("gigabytes_per_second", rate(call.bytes(), step.callNanos(i)));
            if (call.flops() > 0) {
                json.writeNumberField("flops", call.flops());
                json.writeNumberField("gigaflops", rate(call.flops(), step.callNanos(i)));
            }
            end();
        }
    }

    private static List<String> present(List<String> types) {
        return types.stream().filter(type -> type != null).toList();
    }

    private static double rate(long amount, long nanos) {
        return nanos == 0 ? 0 : (double) amount / nanos;
    }

    private void decoding(List<DecodeLog.Span> decoded) throws IOException {
        long last = profile.steps().getLast().end();
        List<String> threads =
                decoded.stream().map(DecodeLog.Span::thread).distinct().sorted().toList();
        for (String thread : threads) {
            track(DECODING + threads.indexOf(thread), thread);
        }
        for (DecodeLog.Span span : decoded) {
            if (span.end() > origin && span.begin() < last) {
                // A chunk that was begun before the first step: negative times are shown badly.
                long begin = Math.max(span.begin(), origin);
                begin(
                        DECODING + threads.indexOf(span.thread()),
                        "decode",
                        "batch " + (span.batch() + 1),
                        begin,
                        span.end());
                json.writeNumberField("images", span.images());
                json.writeNumberField("epoch", span.epoch() + 1);
                end();
            }
        }
    }

    /** An event up to its arguments, which follow until {@link #end}. */
    private void begin(int track, String category, String name, long begin, long end) throws IOException {
        json.writeStartObject();
        json.writeStringField("ph", "X");
        json.writeStringField("cat", category);
        json.writeStringField("name", name);
        json.writeNumberField("pid", PROCESS);
        json.writeNumberField("tid", track);
        json.writeNumberField("ts", BigDecimal.valueOf(begin - origin, 3));
        json.writeNumberField("dur", BigDecimal.valueOf(end - begin, 3));
        json.writeObjectFieldStart("args");
    }

    private void end() throws IOException {
        json.writeEndObject();
        json.writeEndObject();
    }
}
