package dev.velu.trainer.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.velu.trainer.run.WholeFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** {@code activations.jsonl}: a line per epoch and activation site, in the order in which the network runs. */
public final class ActivityFile {
    /** The file's name in the folder of a run. */
    public static final String FILE = "activations.jsonl";

    private final Path path;

    /**
     * The file of a run, which need not be there yet.
     *
     * @param folder of the run
     */
    public ActivityFile(Path folder) {
        path = folder.resolve(FILE);
    }

    /** What the file says; nothing if there is none. A line cut off by a kill, and what follows it, is left out. */
    public List<SiteActivity> read() throws IOException {
        List<SiteActivity> lines = new ArrayList<>();
        if (Files.exists(path)) {
            try {
                for (String line : new String(Files.readAllBytes(path), StandardCharsets.UTF_8)
                        .lines()
                        .toList()) {
                    lines.add(ReportJson.MAPPER.readValue(line, SiteActivity.class));
                }
            } catch (JsonProcessingException e) {
                return lines;
            }
        }
        return lines;
    }

    /** Adds an epoch; lines of it and of later ones, which a resumed run computes again, go. */
    public void add(int epoch, List<SiteActivity> sites) throws IOException {
        StringBuilder text = new StringBuilder();
        read().stream().filter(line -> line.epoch() < epoch).forEach(line -> append(text, line));
        sites.forEach(line -> append(text, line));
        WholeFile.write(path, text.toString());
    }

    private static void append(StringBuilder text, SiteActivity line) {
        text.append(ReportJson.write(line)).append('\n');
    }
}
