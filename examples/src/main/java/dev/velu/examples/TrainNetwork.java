package dev.velu.examples;

import dev.velu.trainer.run.ProgressDisplay;
import dev.velu.trainer.run.RunConfiguration;
import dev.velu.trainer.run.TrainingRun;
import java.nio.file.Path;
import java.util.Map;

/** Trains a network on drawn shapes; the folder then holds checkpoints, metrics and a report. */
public final class TrainNetwork {
    private TrainNetwork() {}

    /** @param args the folder for the results */
    public static void main(String[] args) throws Exception {
        RunConfiguration configuration = RunConfiguration.defaults()
                .with(Map.of(
                        "model",
                        "mobilenet_v2",
                        "size",
                        32,
                        "batch_size",
                        16,
                        "epochs",
                        2,
                        "limit_train",
                        960,
                        "limit_eval",
                        160));
        try (ProgressDisplay progress = new ProgressDisplay(System.err, false);
                TrainingRun run = new TrainingRun(configuration, Path.of(args[0]), false, progress)) {
            run.run();
            System.out.println("best top-1 " + run.bestTop1() + " in epoch " + run.bestEpoch());
        }
    }
}
