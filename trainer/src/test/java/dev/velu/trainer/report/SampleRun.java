package dev.velu.trainer.report;

import dev.velu.trainer.data.DecodedImage;
import dev.velu.trainer.run.RunConfiguration;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The files of a run that never was. */
final class SampleRun {
    /** Names as an enemy would choose them. */
    static final List<String> CLASSES =
            List.of("</script><img src=x onerror=alert(1)>", "<!--<script>", "a & b \"c\" 'd'", "line\u2028break");

    private SampleRun() {}

    /** Of three epochs with VeLU at three sites; the classes have hostile names. */
    static Path write(Path folder) throws IOException {
        Files.createDirectories(folder);
        RunConfiguration configuration = RunConfiguration.defaults()
                .with(Map.of("model", "mobilenet_v2", "data", "folder:/photos/</title><b>x", "epochs", 3));
        Files.writeString(folder.resolve("config.json"), configuration.toJson());
        StringBuilder metrics = new StringBuilder();
        for (int epoch = 1; epoch <= 3; epoch++) {
            metrics.append(metrics(epoch)).append('\n');
            List<SiteActivity> sites = new ArrayList<>();
            for (String site : List.of("features.0.2.0", "features.1.conv.0.2.0", "classifier.1.0")) {
                sites.add(new SiteActivity(
                        epoch,
                        site,
                        "velu",
                        1 + 0.01 * epoch,
                        0.2,
                        0.1,
                        Double.NaN,
                        1.05,
                        1.06,
                        1.08,
                        1,
                        32,
                        0.01,
                        64));
            }
            new ActivityFile(folder).add(epoch, sites);
        }
        Files.writeString(folder.resolve("metrics.jsonl"), metrics);
        String image = Thumbnail.of(new DecodedImage(2, 2, new byte[12])).dataAddress();
        new EvaluationRecord(
                        3,
                        "folder:/photos",
                        12,
                        CLASSES,
                        List.of(new int[] {0, 0, 5}, new int[] {0, 1, 2}, new int[] {1, 1, 4}, new int[] {2, 0, 1}),
                        List.of(
                                new EvaluationRecord.Sample(7, "x\"><script>", 0, 1, 0.9f, image),
                                new EvaluationRecord.Sample(3, "y", 0, 0, 0.8f, null)))
                .write(folder);
        new RunEnvironment(4, 60, 12, 32, 2_236_682, 86_345_824, "completed", List.of(session())).write(folder);
        return folder;
    }

    static String metrics(int epoch) {
        return "{\"epoch\":" + epoch + ",\"steps\":" + 10 * epoch + ",\"learning_rate\":1e-4,\"train_loss\":"
                + 2.0 / epoch
                + ",\"train_top1\":0.5,\"w2\":0.2,\"w2_loss\":0.1,\"eval_loss\":" + 2.2 / epoch + ",\"eval_top1\":0."
                + epoch + ",\"eval_top5\":0.9,\"skipped_images\":0,\"images_per_second\":100.5,\"seconds\":3.5,"
                + "\"decode_wait_seconds\":0.1}";
    }

    private static RunEnvironment.Session session() {
        return new RunEnvironment.Session(
                "2026-01-02T03:04:05Z",
                1,
                "velu train --data folder:/photos/</script>",
                "cpu",
                "A Processor (avx2)",
                2,
                2,
                8L << 30,
                "Linux 6 amd64",
                "25 (Vendor)",
                "0.1.0",
                List.of("oneDNN 3"));
    }
}
