package dev.velu.trainer.cli;

import dev.velu.trainer.cli.Table.Align;
import dev.velu.trainer.run.Recipe;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code velu recipes}. */
@Command(
        name = "recipes",
        sortOptions = false,
        description = {
            "Lists the recipes of 'velu train --recipe', or prints one.",
            "What is printed is a YAML file, the beginning of a recipe of one's own."
        },
        optionListHeading = "%nOptions%n",
        parameterListHeading = "%nArguments%n",
        footerHeading = "%nExamples%n",
        footer = {
            "  velu recipes",
            "  velu recipes modern > mine.yaml",
            "  velu train --recipe mine.yaml                   once it is changed"
        })
final class RecipesCommand implements Callable<Integer> {
    @Parameters(arity = "0..1", paramLabel = "NAME|FILE", description = "The recipe to print and to check.")
    String name;

    @Spec
    CommandSpec spec;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        if (name != null) {
            out.print(WrongUsage.unless(spec, () -> Recipe.named(name)).text());
            out.flush();
            return Main.DONE;
        }
        Table table = new Table(Align.LEFT, Align.LEFT);
        Recipe.builtIn().forEach(recipe -> table.row(recipe.reference(), recipe.description()));
        table.print(out);
        return Main.DONE;
    }
}
