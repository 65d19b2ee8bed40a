package dev.velu.trainer.data;

import java.nio.file.Path;

/** Names from outside (paths, zip entries) made fit for a one-line message. */
public final class QuotedName {

    /** Longer names are cut in the middle. */
    private static final int LIMIT = 300;

    private QuotedName() {}

    /** A path in quotes. */
    public static String of(Path path) {
        return of(path.toString());
    }

    /** A name in quotes. */
    public static String of(String name) {
        return "'" + printable(name) + "'";
    }

    /** Control characters could forge lines or colours on a terminal: they become {@code ?}. */
    public static String printable(String text) {
        String shown = text.length() <= LIMIT
                ? text
                : text.substring(0, LIMIT / 2) + "..." + text.substring(text.length() - LIMIT / 2);
        StringBuilder result = new StringBuilder(shown.length());
        shown.chars().forEach(c -> result.append(Character.isISOControl(c) ? '?' : (char) c));
        return result.toString();
    }
}
