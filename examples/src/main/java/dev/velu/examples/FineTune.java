package dev.velu.examples;

import dev.velu.trainer.run.ProgressDisplay;
import dev.velu.trainer.run.RunConfiguration;
import dev.velu.trainer.run.TrainingRun;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Goes on from weights with torchvision's names (safetensors or a file of PyTorch): a new classifier for other classes, the body
 * kept as it is.
 */
public final class FineTune {
    private FineTune() {}

    /** @param args the file of weights, the data, e.g. {@code folder:photos}, and the folder for the results */
    public static void main(String[] args) throws Exception {
        RunConfiguration configuration = RunConfiguration.defaults()
                .with(Map.of("model", "mobilenet_v2", "weights", args[0], "data", args[1], "size", 32, "epochs", 1))
                .with(Map.of("head", "paper", "sites", "head", "freeze", List.of("features"), "batch_size", 8));
        try (ProgressDisplay progress = new ProgressDisplay(System.err, false);
                TrainingRun run = new TrainingRun(configuration, Path.of(args[2]), false, progress)) {
            run.run();
            System.out.println("best top-1 " + run.bestTop1());
        }
    }
}
