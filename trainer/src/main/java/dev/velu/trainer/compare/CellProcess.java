package dev.velu.trainer.compare;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Trains each cell in a process of its own: this Java with our class path and options. What goes wrong there, a crash or too little
 * memory, goes wrong there only, and the process' peak of memory is the cell's.
 *
 * <p>Its standard input is a pipe that nothing is written to: the process saves and ends when the pipe breaks, that is, with us however we
 * end.
 */
public final class CellProcess implements CellRunner {
    private static final String MAIN = "dev.velu.trainer.cli.Main";
    private static final String NATIVE_ACCESS = "--enable-native-access=";
    private static final int SIGNAL = 128;
    private static final int SIGABRT = 6;
    private static final int SIGKILL = 9;
    private static final int SIGSEGV = 11;

    private final List<String> commands;
    private final boolean verbose;
    private volatile Process process;

    /**
     * @param command of the command line that trains the cell in the folder named behind it
     * @param verbose whether the processes log more
     */
    public CellProcess(List<String> command, boolean verbose) {
        this.commands = List.copyOf(command);
        this.verbose = verbose;
    }

    @Override
    public CellEnd run(Cell cell, Path folder, boolean resume, Consumer<String> lines)
            throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(command(folder)).redirectErrorStream(true);
        Process started = builder.start();
        process = started;
        String last;
        try (BufferedReader output = started.inputReader(StandardCharsets.UTF_8);
                BufferedWriter log = Files.newBufferedWriter(
                        folder.resolve(CellFolder.LOG), StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
            last = relay(output, log, lines);
            int status = started.waitFor();
            return end(new CellFolder(folder).end(), status, last);
        } finally {
            process = null;
            // Only if we were cut off ourselves: a process that nobody listens to must not go on.
            started.destroyForcibly();
        }
    }

    /** Passes the lines on and keeps them; returns the one that says why, if it is a failure. */
    private static String relay(BufferedReader output, BufferedWriter log, Consumer<String> lines) throws IOException {
        String last = "";
        String reason = null;
        for (String line = output.readLine(); line != null; line = output.readLine()) {
            log.write(line);
            log.newLine();
            log.flush();
            if (line.startsWith("velu: ")) {
                reason = line.substring("velu: ".length());
            } else if (!line.isBlank()) {
                last = line.strip();
                lines.accept(line);
            }
        }
        return reason != null ? reason : last;
    }

    private static CellEnd end(CellEnd written, int status, String last) {
        if (written != null) {
            return written;
        }
        return switch (status - SIGNAL) {
            case SIGKILL ->
                CellEnd.without(
                        CellStatus.FAILED,
                        "its process was killed (signal 9), which the system does to processes that take too much memory");
            case SIGABRT, SIGSEGV ->
                CellEnd.without(
                        CellStatus.FAILED,
                        "its process crashed (signal " + (status - SIGNAL) + "); see " + CellFolder.LOG);
            case 2, 15 -> CellEnd.without(CellStatus.INTERRUPTED, null);
            default ->
                CellEnd.without(
                        CellStatus.FAILED, last.isEmpty() ? "its process ended with exit status " + status : last);
        };
    }

    private List<String> command(Path folder) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        List<String> options = jvmOptions();
        command.addAll(options);
        if (options.stream().noneMatch(option -> option.startsWith(NATIVE_ACCESS))) {
            command.add(NATIVE_ACCESS + "ALL-UNNAMED");
        }
        // A crash leaves its report where the cell is, and no gigabytes of memory image.
        command.add("-XX:-CreateCoredumpOnCrash");
        command.add("-XX:ErrorFile=" + folder.toAbsolutePath().resolve(CellFolder.CRASH + "%p.log"));
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), MAIN));
        command.addAll(commands);
        command.add(folder.toString());
        if (verbose) {
            command.add("--verbose");
        }
        return command;
    }

    /** Ours, but for agents, which would meet themselves, and with the properties of this program that were set since the start. */
    private static List<String> jvmOptions() {
        List<String> options = new ArrayList<>();
        for (String option : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
            if (!option.startsWith("-agentlib")
                    && !option.startsWith("-agentpath")
                    && !option.startsWith("-javaagent")
                    && !option.startsWith("-Dvelu.")
                    && !option.startsWith("-XX:ErrorFile")) {
                options.add(option);
            }
        }
        System.getProperties().forEach((name, value) -> {
            String property = name.toString();
            if (property.startsWith("velu.") && !property.equals("velu.stderr.terminal")) {
                options.add("-D" + property + "=" + value);
            }
        });
        return options;
    }

    /** By the signal that a service manager sends, which lets it save. */
    @Override
    public void stop() {
        Process running = process;
        if (running != null) {
            // Of the handle: Process.destroy() would also close the pipe on which it still speaks.
            running.toHandle().destroy();
        }
    }
}
