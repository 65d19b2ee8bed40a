package dev.velu.trainer.cli;

import dev.velu.trainer.run.Similarity;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.TypeConversionException;
import picocli.CommandLine.UnmatchedArgumentException;

/** What is said of arguments that cannot be understood: one line with the value, one with the way to the help. */
final class WrongUsage {
    private WrongUsage() {}

    /**
     * Turns arguments into values.
     *
     * @throws ParameterException for an {@link IllegalArgumentException}: the user gave the value that was refused
     */
    static <T> T unless(CommandSpec command, Supplier<T> parsing) {
        try {
            return parsing.get();
        } catch (IllegalArgumentException e) {
            throw new ParameterException(command.commandLine(), e.getMessage(), e);
        }
    }

    /** Two lines: what is wrong, and which help to read. */
    static String message(ParameterException e) {
        String command = e.getCommandLine().getCommandSpec().qualifiedName();
        return command + ": " + FailureMessage.oneLine(problem(e)) + System.lineSeparator() + "Try '" + command
                + " --help'.";
    }

    private static String problem(ParameterException e) {
        if (e instanceof UnmatchedArgumentException unmatched) {
            return unmatched(unmatched);
        }
        if (e.getCause() instanceof TypeConversionException cause && e.getArgSpec() instanceof OptionSpec option) {
            return option.longestName() + ": "
                    + cause.getMessage()
                            .replaceFirst("is not an? (int|long|Integer|Long)$", "is not a whole number")
                            .replaceFirst("is not an? (float|Float|double|Double)$", "is not a number");
        }
        String message = e.getMessage();
        if (e.getCause() instanceof IllegalArgumentException || message.isEmpty()) {
            return message;
        }
        return Character.toLowerCase(message.charAt(0)) + message.substring(1);
    }

    private static String unmatched(UnmatchedArgumentException e) {
        CommandLine command = e.getCommandLine();
        String argument = e.getUnmatched().getFirst();
        List<String> known = new ArrayList<>();
        String kind;
        if (argument.startsWith("-") && argument.length() > 1) {
            kind = "unknown option";
            argument = argument.split("=", 2)[0];
            command.getCommandSpec().options().forEach(option -> known.addAll(List.of(option.names())));
        } else if (command.getSubcommands().isEmpty()) {
            kind = "unexpected argument";
        } else {
            kind = "unknown command";
            known.addAll(command.getSubcommands().keySet());
        }
        Optional<String> suggestion = Similarity.nearest(argument, known);
        return kind + " '" + argument + "'"
                + suggestion.map(s -> "; did you mean '" + s + "'?").orElse("");
    }
}
