package dev.velu.trainer.report;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.velu.trainer.compare.Comparison;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The pages as people see them. */
class PageInBrowserTest {
    private static final int PHONE = 360;
    private static final int DESKTOP = 1280;

    @TempDir
    Path folder;

    private static void assertWhole(JsonNode page, int charts) {
        assertThat(page.isNull()).as("the page told nothing").isFalse();
        assertThat(page.path("noted")).isEmpty();
        assertThat(page.path("requests")).isEmpty();
        assertThat(page.path("canvases").asInt()).isEqualTo(charts);
        assertThat(page.path("painted").asInt()).isEqualTo(charts);
        assertThat(page.path("unnamed").asInt()).isZero();
        assertThat(page.path("width").asInt())
                .isLessThanOrEqualTo(page.path("room").asInt());
    }

    @Test
    void aRunsPageIsDrawnOnAPhoneWithoutErrorsRequestsOrOverflow() throws Exception {
        Path run = SampleRun.write(folder.resolve("run"));
        RunReport.write(run);
        JsonNode page = Browser.open(run.resolve(RunReport.FILE), PHONE, folder);
        // Five curves, two of the activations, the function and its gradient.
        assertWhole(page, 9);
        assertThat(page.path("room").asInt()).isLessThanOrEqualTo(PHONE);
        assertThat(page.path("sections")).hasSize(8);
        assertThat(page.path("images").asInt()).isEqualTo(1);
        assertThat(page.path("text").asText())
                .contains("</script><img src=x onerror=alert(1)>")
                .contains("30.00\u00a0%", "82.3\u00a0MiB", "features.1.conv.0.2.0");
    }

    @Test
    void aComparisonsPageIsDrawnWithLinksToTheCells() throws Exception {
        Comparison comparison = SampleComparison.write(folder.resolve("comparison"));
        ComparisonReport.write(comparison);
        JsonNode page = Browser.open(comparison.folder().resolve(RunReport.FILE), DESKTOP, folder);
        // Bars and curves of the one row, time and result, paired differences.
        assertWhole(page, 4);
        assertThat(page.path("links"))
                .extracting(JsonNode::asText)
                .contains("cells/mobilenet_v2-velu-shapes-0/report.html");
        assertThat(page.path("text").asText()).contains("50.00 ± 1.41", "out of memory </script>", "Friedman");
    }

    @Test
    void aComparisonsPageFitsAPhone() throws Exception {
        Comparison comparison = SampleComparison.write(folder.resolve("comparison"));
        ComparisonReport.write(comparison);
        assertWhole(Browser.open(comparison.folder().resolve(RunReport.FILE), PHONE, folder), 4);
    }

    @Test
    void aRunWithoutAnEpochHasAPage() throws Exception {
        Path run = SampleRun.write(folder.resolve("run"));
        for (String file : new String[] {EvaluationRecord.FILE, ActivityFile.FILE}) {
            Files.delete(run.resolve(file));
        }
        Files.writeString(run.resolve("metrics.jsonl"), "");
        RunReport.write(run);
        JsonNode page = Browser.open(run.resolve(RunReport.FILE), DESKTOP, folder);
        assertWhole(page, 2);
        assertThat(page.path("text").asText()).contains("No epoch is finished yet.");
    }
}
