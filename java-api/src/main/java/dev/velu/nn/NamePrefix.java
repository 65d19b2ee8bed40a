package dev.velu.nn;

/** Names of modules as prefixes of the names of their parameters. */
public final class NamePrefix {
    private NamePrefix() {}

    /** The prefix without a dot at its end: {@code layer1.} and {@code layer1} are the same. */
    public static String normalized(String prefix) {
        return prefix.endsWith(".") ? prefix.substring(0, prefix.length() - 1) : prefix;
    }

    /**
     * Whether a name is the prefix or begins with it and a dot; every name begins with the empty prefix.
     *
     * @param prefix as {@link #normalized} gives it
     */
    public static boolean matches(String prefix, String name) {
        return prefix.isEmpty()
                || name.startsWith(prefix) && (name.length() == prefix.length() || name.charAt(prefix.length()) == '.');
    }
}
