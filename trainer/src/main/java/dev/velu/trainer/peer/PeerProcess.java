package dev.velu.trainer.peer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * A peer in a process of its own, driven by lines of JSON on its stdin and stdout. It sleeps while nothing is asked of it. Used by one
 * thread; ends when it is closed, or with us.
 */
public final class PeerProcess implements Contender {
    private static final ObjectMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .build();
    private static final int SECONDS_TO_END = 10;
    private static final List<String> JVM = List.of(
            "--enable-native-access=ALL-UNNAMED",
            // The heap is mapped whole at the start, so that growth of the resident set is not the heap's.
            "-Xms256m",
            "-Xmx256m",
            "-XX:+AlwaysPreTouch",
            "-XX:+UseSerialGC",
            // A crash says so on stderr, not where answers are expected, and leaves no file behind.
            "-XX:+DisplayVMOutputToStderr",
            "-XX:-CreateCoredumpOnCrash",
            "-XX:ErrorFile=/dev/null");

    private final Process process;
    private final Path log;
    private final Writer requests;
    private final BufferedReader answers;
    private final String suffix;
    private String name;
    private ResidentSet loaded;
    private JsonNode results;

    private PeerProcess(Process process, Path log, String suffix) {
        this.process = process;
        this.log = log;
        this.suffix = suffix;
        requests = process.outputWriter(StandardCharsets.UTF_8);
        answers = process.inputReader(StandardCharsets.UTF_8);
        name = "peer";
    }

    /**
     * Starts a process that does nothing yet.
     *
     * @param threads CPU threads of its work, positive
     * @param javaOptions further options of its JVM, e.g. modules
     * @throws PeerException if it cannot be started
     */
    public static PeerProcess start(PeerModule module, int threads, Malloc malloc, List<String> javaOptions) {
        List<String> command = new ArrayList<>(java());
        command.addAll(javaOptions);
        command.add("-DDJL_CACHE_DIR=" + module.cache());
        command.add("-DOPT_OUT_TRACKING=true");
        command.add("-Dai.djl.offline=true");
        command.add("-Dai.djl.pytorch.num_threads=" + threads);
        command.add("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
        command.addAll(List.of("-cp", module.classPath(), PeerModule.MAIN));
        command.add(Integer.toString(threads));
        try {
            Path log = Files.createTempFile("velu-peer", ".log");
            ProcessBuilder builder = new ProcessBuilder(command).redirectError(log.toFile());
            Map<String, String> environment = builder.environment();
            environment.keySet().removeIf(variable -> variable.startsWith("MALLOC_"));
            environment.putAll(malloc.environment());
            environment.put("OMP_NUM_THREADS", Integer.toString(threads));
            // Threads that wait sleep after microseconds, as ours do, so that the next one to be timed has the
            // processors.
            environment.putIfAbsent("GOMP_SPINCOUNT", "2000");
            return new PeerProcess(builder.start(), log, malloc == Malloc.TUNED ? ", malloc tuned" : "");
        } catch (IOException e) {
            throw new PeerException("cannot start the peer's process: " + e.getMessage(), e);
        }
    }

    /** The JVM that we run on, with the options of all processes whose memory is compared. */
    static List<String> java() {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(JVM);
        return command;
    }

    /**
     * Loads a library and makes work ready.
     *
     * @param task a record or map that becomes JSON with names in snake case; {@code kind} and the fields are those of {@code
     *     dev.velu.peers.Task}
     * @throws PeerException if the peer refuses
     */
    public void prepare(Object task) {
        name = ask(Map.of("load", task)).path("version").asText() + suffix;
        loaded = ResidentSet.of(process.pid());
        ask(Map.of("prepare", Map.of()));
    }

    @Override
    public String name() {
        return name;
    }

    /** @throws PeerException if the work fails */
    @Override
    public double[] run(int count) {
        JsonNode answer = ask(Map.of("run", count));
        results = answer.path("results");
        double[] milliseconds = new double[count];
        for (int i = 0; i < count; i++) {
            milliseconds[i] = answer.path("milliseconds").path(i).asDouble();
        }
        return milliseconds;
    }

    /** What the last run gave, by name; an empty node before the first. */
    public JsonNode results() {
        return results == null ? JSON.createObjectNode() : results;
    }

    /** Bytes by which the peak of its resident set is above what that was when the library had been loaded. */
    public long residentGrowth() {
        return loaded.growth();
    }

    private JsonNode ask(Object request) {
        try {
            requests.write(JSON.writeValueAsString(request));
            requests.write('\n');
            requests.flush();
            String line = answers.readLine();
            if (line == null) {
                throw ended(null);
            }
            JsonNode answer = JSON.readTree(line);
            if (answer.has("error")) {
                throw new PeerException(name + ": " + answer.get("error").asText());
            }
            return answer;
        } catch (JsonProcessingException e) {
            throw new PeerException(name + ": its answer is not JSON: " + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw ended(e);
        }
    }

    private PeerException ended(IOException cause) {
        String last = "nothing on its stderr";
        try {
            process.waitFor(SECONDS_TO_END, TimeUnit.SECONDS);
            last = Files.readAllLines(log).stream()
                    .filter(line -> !line.isBlank() && !line.startsWith("\tat "))
                    .reduce((first, second) -> second)
                    .orElse(last);
        } catch (IOException e) {
            cause = cause == null ? e : cause;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        String status = process.isAlive() ? "" : " with exit status " + process.exitValue();
        return new PeerException(name + ": its process ended" + status + ": " + last, cause);
    }

    @Override
    public void close() {
        try {
            requests.write("{\"close\": {}}\n");
            requests.close();
        } catch (IOException e) {
            // It has ended already.
        }
        try {
            if (!process.waitFor(SECONDS_TO_END, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
        try {
            Files.deleteIfExists(log);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
