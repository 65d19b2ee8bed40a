package dev.velu.trainer.cli;

import java.util.List;
import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code velu completion}. */
@Command(
        name = "completion",
        sortOptions = false,
        description = "Prints a script that completes commands and options of velu in a shell.",
        parameterListHeading = "%nArguments%n",
        optionListHeading = "%nOptions%n",
        footerHeading = "%nExamples%n",
        footer = {
            "  source <(./velu completion bash)                for this shell",
            "  ./velu completion zsh >> ~/.zshrc               for every zsh",
            "  ./velu completion bash > ~/.local/share/bash-completion/completions/velu"
        })
final class CompletionCommand implements Callable<Integer> {
    private static final List<String> SHELLS = List.of("bash", "zsh");

    @Parameters(arity = "0..1", paramLabel = "SHELL", description = "bash or zsh (default: ${DEFAULT-VALUE}).")
    String shell = "bash";

    @Spec
    CommandSpec spec;

    @Override
    public Integer call() {
        if (!SHELLS.contains(shell)) {
            throw new ParameterException(
                    spec.commandLine(),
                    "no completion for the shell '" + shell + "'; use one of " + String.join(", ", SHELLS));
        }
        CommandLine top = spec.root().commandLine();
        // One script serves both: it turns on zsh's emulation of bash's completion by itself.
        spec.commandLine().getOut().println(withoutTheProgramItself(AutoComplete.bash("velu", top)));
        return Main.DONE;
    }

    /** The script takes the first word, which is the program, for a command of that name: there is `velu bench velu`. */
    private static String withoutTheProgramItself(String script) {
        return script.replace("in \"${COMP_WORDS[@]}\"", "in \"${COMP_WORDS[@]:1}\"");
    }
}
