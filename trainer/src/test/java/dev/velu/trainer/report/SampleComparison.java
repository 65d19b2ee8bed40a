package dev.velu.trainer.report;

import dev.velu.trainer.compare.Cell;
import dev.velu.trainer.compare.Comparison;
import dev.velu.trainer.run.RunConfiguration;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The files of a comparison that never was: three activations, two seeds, one cell failed. */
final class SampleComparison {
    private SampleComparison() {}

    static Comparison write(Path folder) throws IOException {
        List<String> configurations = new ArrayList<>();
        StringBuilder results = new StringBuilder();
        int number = 0;
        for (String activation : List.of("velu", "relu", "silu")) {
            for (int seed = 0; seed < 2; seed++) {
                RunConfiguration configuration = RunConfiguration.defaults()
                        .with(Map.of(
                                "model",
                                "mobilenet_v2",
                                "data",
                                "shapes",
                                "activation",
                                activation,
                                "seed",
                                seed,
                                "epochs",
                                2));
                configurations.add(configuration.toJson());
                Cell cell = Cell.of(configuration);
                boolean failed = activation.equals("silu") && seed == 1;
                results.append(result(cell, failed, 0.49 - 0.1 * number + 0.02 * seed))
                        .append('\n');
                Path run = SampleRun.write(folder.resolve("cells").resolve(cell.id()));
                if (!failed) {
                    RunReport.write(run);
                }
                number += seed;
            }
        }
        Files.writeString(
                folder.resolve("compare.json"),
                "{\"metric\":\"eval_top1\",\"epoch\":\"last\",\"baseline\":\"velu\",\"cells\":["
                        + String.join(",", configurations) + "]}");
        Files.writeString(folder.resolve("results.jsonl"), results);
        return Comparison.read(folder);
    }

    private static String result(Cell cell, boolean failed, double top1) {
        String metrics = failed ? "null" : SampleRun.metrics(2).replace("0.2,\"eval_top5", top1 + ",\"eval_top5");
        return "{\"cell\":\"" + cell.id() + "\",\"model\":\"" + cell.model() + "\",\"activation\":\""
                + cell.activation()
                + "\",\"data\":\"" + cell.data() + "\",\"seed\":" + cell.seed() + ",\"status\":\""
                + (failed ? "failed\",\"error\":\"out of memory </script>\"" : "ok\",\"error\":null")
                + ",\"epochs\":2,\"best\":" + metrics + ",\"last\":" + metrics + ",\"seconds\":"
                + (failed ? "null" : 12.5)
                + ",\"images_per_second\":" + (failed ? "null" : 100.5)
                + ",\"planned_memory_bytes\":86345824,\"peak_memory_bytes\":544358400,\"parameters\":2236682,"
                + "\"resumed\":false,\"config_hash\":\"" + cell.configHash()
                + "\",\"started\":\"2026-01-02T03:04:05Z\"}";
    }
}
