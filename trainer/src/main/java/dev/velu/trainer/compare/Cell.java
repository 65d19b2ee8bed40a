package dev.velu.trainer.compare;

import dev.velu.trainer.run.RunConfiguration;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * One training run of a comparison.
 *
 * @param id names its folder and its line in {@code results.jsonl}: the same for the same model, activation, data and seed
 * @param configuration of the run, with everything that the grid and the command line say
 */
public record Cell(String id, String model, String activation, String data, long seed, RunConfiguration configuration) {
    private static final int DATA_LETTERS = 40;
    private static final int HASH_BYTES = 4;

    /** The cell of a configuration. */
    public static Cell of(RunConfiguration configuration) {
        String data = configuration.data();
        String id = configuration.model() + "-" + configuration.activation() + "-" + pathSafe(data) + "-"
                + configuration.seed();
        return new Cell(
                id, configuration.model(), configuration.activation(), data, configuration.seed(), configuration);
    }

    /**
     * A data set as part of a file's name: its name, or of a path the kind, the last name and a hash, so that two folders of one name
     * stay apart.
     */
    private static String pathSafe(String data) {
        int colon = data.indexOf(':');
        if (colon < 0) {
            return data;
        }
        String path = data.substring(colon + 1).replaceAll("/+$", "");
        String last = path.substring(path.lastIndexOf('/') + 1).replaceAll("[^A-Za-z0-9_.]", "_");
        String shortened = last.length() > DATA_LETTERS ? last.substring(0, DATA_LETTERS) : last;
        return data.substring(0, colon) + "_" + shortened + "_" + hash(data).substring(0, 2 * HASH_BYTES);
    }

    /** Of everything that decides the outcome of the run: equal for equal results. */
    public String configHash() {
        return hash(configuration.identity().toJson()).substring(0, 4 * HASH_BYTES);
    }

    private static String hash(String text) {
        try {
            return HexFormat.of()
                    .formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
