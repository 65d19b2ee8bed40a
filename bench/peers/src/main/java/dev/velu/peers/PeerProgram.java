package dev.velu.peers;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Does a peer's work on request: one request a line on stdin, one answer a line on stdout, both JSON ({@link Request}). A request
 * that fails is answered by {@code error} and leaves the program as it was. It ends at the end of its input.
 *
 * <p>While nobody asks for anything it sleeps, so that another process can be timed meanwhile.
 */
public final class PeerProgram implements AutoCloseable {
    private static final ObjectMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .build();

    private final int threads;
    private Task task;
    private Work work;

    /** @param threads CPU threads of the work, positive */
    PeerProgram(int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException("number of threads " + threads + " is not positive");
        }
        this.threads = threads;
    }

    /** @param args the number of CPU threads */
    public static void main(String[] args) throws IOException {
        // What a library prints must not be taken for an answer.
        PrintStream answers = System.out;
        System.setOut(System.err);
        if (args.length != 1 || !args[0].matches("[1-9][0-9]{0,3}")) {
            System.err.println("usage: PeerProgram THREADS; requests on stdin");
            System.exit(2);
        }
        try (PeerProgram program = new PeerProgram(Integer.parseInt(args[0]))) {
            program.serve(new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)), answers);
        }
        // Libraries may have left threads behind.
        System.exit(0);
    }

    /** Answers requests until one is {@code close} or there are no more. */
    void serve(BufferedReader requests, PrintStream answers) throws IOException {
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            Map<String, Object> answer;
            try {
                Request request = JSON.readValue(line, Request.class);
                if (request instanceof Request.Close) {
                    return;
                }
                answer = answer(request);
            } catch (JsonMappingException e) {
                answer = Map.of("error", message(e.getCause() == null ? e : e.getCause()));
            } catch (JsonProcessingException e) {
                answer = Map.of("error", "a request is not JSON: " + e.getOriginalMessage());
            } catch (IllegalArgumentException e) {
                answer = Map.of("error", message(e));
            } catch (RuntimeException | OutOfMemoryError | LinkageError e) {
                e.printStackTrace();
                answer = Map.of("error", message(e));
            }
            answers.println(JSON.writeValueAsString(answer));
            answers.flush();
        }
    }

    private static String message(Throwable failure) {
        String text =
                failure instanceof JsonProcessingException json ? json.getOriginalMessage() : failure.getMessage();
        return failure instanceof IllegalArgumentException && text != null
                ? text
                : failure.getClass().getSimpleName() + (text == null ? "" : ": " + text);
    }

    private Map<String, Object> answer(Request request) {
        return switch (request) {
            case Request.Load load -> load(load.task());
            case Request.Prepare ignored -> prepare();
            case Request.Run run -> run(run.count());
            case Request.Close ignored -> throw new IllegalStateException("close has no answer");
        };
    }

    private Map<String, Object> load(Task wanted) {
        close();
        task = wanted;
        return Map.of("version", task.load(threads));
    }

    private Map<String, Object> prepare() {
        if (task == null) {
            throw new IllegalArgumentException("no library is loaded; send 'load' first");
        }
        close();
        work = task.prepare(threads);
        return Map.of("ready", true);
    }

    private Map<String, Object> run(int count) {
        if (work == null) {
            throw new IllegalArgumentException("nothing is prepared; send 'prepare' first");
        }
        double[] milliseconds = new double[count];
        for (int i = 0; i < count; i++) {
            milliseconds[i] = work.time();
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("milliseconds", milliseconds);
        answer.put("results", work.results());
        return answer;
    }

    @Override
    public void close() {
        if (work != null) {
            work.close();
            work = null;
        }
    }
}
