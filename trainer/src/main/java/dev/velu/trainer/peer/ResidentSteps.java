package dev.velu.trainer.peer;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.trainer.run.RunConfiguration;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * How much resident memory our training steps need: measured, as for a peer, in a process that does nothing else and whose Java heap
 * is mapped whole before.
 */
final class ResidentSteps {
    private static final int STEPS = 3;
    private static final int SECONDS = 600;

    private ResidentSteps() {}

    /** The program: prints the growth of its resident set in bytes. Its stdin is a configuration, its arguments classes and size. */
    public static void main(String[] args) throws IOException {
        String json = new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
        RunConfiguration settings = RunConfiguration.fromJson(json, "stdin");
        // Loads the library and its backend.
        Context.open(Device.cpu(), settings.contextOptions()).close();
        ResidentSet before = ResidentSet.of(ProcessHandle.current().pid());
        try (TrainingSteps steps = new TrainingSteps(
                settings,
                settings.network(Integer.parseInt(args[0]), Integer.parseInt(args[1])),
                Device.cpu(),
                settings.contextOptions())) {
            steps.run(STEPS);
            System.out.println(before.growth());
        }
    }

    /**
     * Starts the program and returns what it measured.
     *
     * @throws PeerException if it fails
     */
    static long measure(RunConfiguration settings, int classes, int size) {
        List<String> command = new ArrayList<>(PeerProcess.java());
        System.getProperties().stringPropertyNames().stream()
                .filter(name -> name.startsWith("velu."))
                .forEach(name -> command.add("-D" + name + "=" + System.getProperty(name)));
        command.addAll(List.of("-cp", absolute(System.getProperty("java.class.path")), ResidentSteps.class.getName()));
        command.addAll(List.of(Integer.toString(classes), Integer.toString(size)));
        try {
            Process process = new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            try (var in = process.outputWriter(StandardCharsets.UTF_8)) {
                in.write(settings.toJson());
            }
            String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
            if (!process.waitFor(SECONDS, TimeUnit.SECONDS) || !printed.matches("[0-9]+")) {
                process.destroyForcibly();
                throw new PeerException(
                        "the process that measures our resident memory failed; its reason is on stderr");
            }
            return Long.parseLong(printed);
        } catch (IOException e) {
            throw new PeerException("cannot start the process that measures our resident memory: " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new PeerException("interrupted while our resident memory was measured", e);
        }
    }

    private static String absolute(String classPath) {
        return String.join(
                ":",
                List.of(classPath.split(":")).stream()
                        .map(entry -> Path.of(entry).toAbsolutePath().toString())
                        .toList());
    }
}
