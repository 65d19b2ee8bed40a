package dev.velu.trainer.cli;

/** Level of the log on stderr. Set before the first logger is made: the logging library reads it once. */
final class LogLevel {
    private static final String PROPERTY = "org.slf4j.simpleLogger.defaultLogLevel";

    private LogLevel() {}

    /** Debug messages too with {@code --verbose}; a level set on the JVM's command line stays. */
    static void set(boolean verbose) {
        if (verbose && System.getProperty(PROPERTY) == null) {
            System.setProperty(PROPERTY, "debug");
        }
    }
}
