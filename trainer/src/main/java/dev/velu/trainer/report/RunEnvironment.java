package dev.velu.trainer.report;

import dev.velu.trainer.run.WholeFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What a run was computed on, as {@code environment.json} keeps it.
 *
 * @param classes of the data set
 * @param trainImages of an epoch
 * @param evalImages of an evaluation
 * @param size height and width of the images, in pixels
 * @param parameters trained values of the network
 * @param plannedMemoryBytes of the device, laid out before the first step
 * @param outcome {@code running}, {@code completed} or {@code interrupted}
 * @param sessions the processes that computed the run, in order
 */
public record RunEnvironment(
        int classes,
        int trainImages,
        int evalImages,
        int size,
        long parameters,
        long plannedMemoryBytes,
        String outcome,
        List<Session> sessions) {
    /** The file's name in the folder of a run. */
    public static final String FILE = "environment.json";

    /**
     * A process that computed the run or a part of it.
     *
     * @param started when, as ISO 8601 in UTC
     * @param firstEpoch where it began, from 1
     * @param command the command line, or null if it was no command
     * @param device what computed, for example {@code cpu}
     * @param deviceName what the maker calls it
     * @param threads of the operations on the CPU; 0 on other devices
     * @param processors of the machine that the process may use
     * @param memoryBytes of the device
     * @param system name, version and architecture of the operating system
     * @param java version and vendor
     * @param velu version of this program
     * @param libraries name, version and path of each
     */
    public record Session(
            String started,
            int firstEpoch,
            String command,
            String device,
            String deviceName,
            int threads,
            int processors,
            long memoryBytes,
            String system,
            String java,
            String velu,
            List<String> libraries) {}

    /** After the sessions that came before it in the same run. */
    public RunEnvironment after(RunEnvironment before) {
        List<Session> all = new ArrayList<>(before.sessions());
        all.addAll(sessions);
        return new RunEnvironment(classes, trainImages, evalImages, size, parameters, plannedMemoryBytes, outcome, all);
    }

    /** The same, ended. */
    public RunEnvironment ended(String how) {
        return new RunEnvironment(
                classes, trainImages, evalImages, size, parameters, plannedMemoryBytes, how, sessions);
    }

    /** Writes the file into the folder of a run, whole or not at all. */
    public void write(Path folder) throws IOException {
        WholeFile.write(folder.resolve(FILE), ReportJson.write(this) + "\n");
    }

    /** Reads the file of a run; null if there is none. */
    public static RunEnvironment read(Path folder) throws IOException {
        Path file = folder.resolve(FILE);
        return Files.exists(file) ? ReportJson.MAPPER.readValue(Files.readAllBytes(file), RunEnvironment.class) : null;
    }
}
