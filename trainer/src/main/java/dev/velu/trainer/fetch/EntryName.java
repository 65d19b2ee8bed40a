package dev.velu.trainer.fetch;

import dev.velu.trainer.data.QuotedName;
import java.nio.file.Path;
import java.util.regex.Pattern;

/** Names in archives, which say where their author would like to write. */
final class EntryName {

    private static final int MAX_PART = 255;
    private static final int MAX_DEPTH = 32;
    private static final Pattern DRIVE = Pattern.compile("^[A-Za-z]:.*", Pattern.DOTALL);

    private EntryName() {}

    /**
     * The place of an entry in {@code folder}.
     *
     * @throws FetchException if the name is absolute, climbs with .., or is none that a file should have
     */
    static Path inside(Path folder, String name, String archive) {
        if (name.startsWith("/") || name.startsWith("\\") || DRIVE.matcher(name).matches()) {
            throw refused(archive, name, "is absolute");
        }
        Path place = folder;
        int depth = 0;
        for (String part : name.split("[/\\\\]+")) {
            if (part.isEmpty() || part.equals(".")) {
                continue;
            }
            if (part.equals("..")) {
                throw refused(archive, name, "points outside the archive");
            }
            if (part.length() > MAX_PART || ++depth > MAX_DEPTH) {
                throw refused(archive, name, "is too long or too deep");
            }
            if (part.chars().anyMatch(Character::isISOControl)) {
                throw refused(archive, name, "has control characters");
            }
            place = place.resolve(part);
        }
        if (place.equals(folder) && !name.matches("[./]*")) {
            throw refused(archive, name, "names no file");
        }
        return place;
    }

    /**
     * Refuses a link that leaves the archive; others are harmless, and no data set needs them.
     *
     * @param from the folder that the target is relative to, in {@code folder}
     */
    static void checkLink(Path folder, Path from, String name, String target, String archive) {
        boolean absolute = target.startsWith("/")
                || target.startsWith("\\")
                || DRIVE.matcher(target).matches();
        if (absolute
                || target.indexOf('\0') >= 0
                || !from.resolve(target).normalize().startsWith(folder)) {
            throw refused(archive, name, "is a link to " + QuotedName.of(target) + " outside the archive");
        }
    }

    static FetchException refused(String archive, String name, String why) {
        return new FetchException("archive " + QuotedName.of(archive) + " is not to be trusted: its entry "
                + QuotedName.of(name) + " " + why + "; nothing of it was kept");
    }
}
