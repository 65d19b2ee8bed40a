package dev.velu.trainer.cli;

import java.util.List;
import picocli.CommandLine.IModelTransformer;
import picocli.CommandLine.Model.ArgGroupSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.IGetter;
import picocli.CommandLine.Model.ISetter;
import picocli.CommandLine.Model.OptionSpec;

/**
 * Gives {@link CompareCommand} the options of {@code velu train} that are settings of a run, in the same groups, but for those of which a
 * comparison takes several values. So they are the same for ever.
 */
final class TrainingOptions implements IModelTransformer {
    private static final List<String> AXES = List.of("--model", "--activation", "--data", "--seed");

    /** Where the parser keeps the value of an option that no field belongs to. */
    private static final class Value implements IGetter, ISetter {
        private Object value;

        private Value(Object initial) {
            value = initial;
        }

        @Override
        @SuppressWarnings("unchecked")
        public <T> T get() {
            return (T) value;
        }

        @Override
        @SuppressWarnings("unchecked")
        public <T> T set(T next) {
            Object before = value;
            value = next;
            return (T) before;
        }
    }

    @Override
    public CommandSpec transform(CommandSpec command) {
        CommandSpec train = CommandSpec.forAnnotatedObject(new TrainCommand());
        for (ArgGroupSpec group : train.argGroups()) {
            ArgGroupSpec.Builder copy =
                    ArgGroupSpec.builder().validate(false).multiplicity("0..1").heading(group.heading());
            group.options().stream()
                    .filter(option -> !AXES.contains(option.longestName()))
                    .map(TrainingOptions::copy)
                    .forEach(copy::addArg);
            command.addArgGroup(copy.build());
        }
        return command;
    }

    private static OptionSpec copy(OptionSpec option) {
        Value value = new Value(option.getValue());
        return OptionSpec.builder(option)
                .getter(value)
                .setter(value)
                .initialValue(option.getValue())
                .build();
    }
}
