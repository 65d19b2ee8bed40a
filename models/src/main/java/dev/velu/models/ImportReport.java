package dev.velu.models;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * What of a file became part of a network.
 *
 * @param tensors of the network that were filled
 * @param notes what was replaced, left out or changed on the way, one sentence each
 */
public record ImportReport(Path file, int tensors, List<String> notes) {
    /** Copies the notes. */
    public ImportReport {
        notes = List.copyOf(notes);
    }

    /** For a person: what was read, then the notes. */
    public List<String> lines() {
        return Stream.concat(Stream.of("loaded " + tensors + " tensors of " + file), notes.stream())
                .toList();
    }
}
