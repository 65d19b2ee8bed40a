package dev.velu.trainer.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.velu.trainer.run.RunException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jsoup.Jsoup;
import org.jsoup.nodes.Document;
import org.jsoup.nodes.Element;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunReportTest {
    @TempDir
    Path folder;

    private Document page() throws Exception {
        RunReport.write(SampleRun.write(folder));
        return Jsoup.parse(Files.readString(folder.resolve(RunReport.FILE)));
    }

    private static JsonNode data(Document page) throws Exception {
        return new ObjectMapper().readTree(page.getElementById("data").data());
    }

    @Test
    void thePageHasASectionForEveryPartOfTheRun() throws Exception {
        assertThat(page().select("main > section").eachAttr("id"))
                .containsExactly(
                        "curves",
                        "confusion",
                        "classes",
                        "samples",
                        "activations",
                        "function",
                        "configuration",
                        "environment");
    }

    @Test
    void hostileNamesArriveUnchangedInTheDataAndAddNothingToThePage() throws Exception {
        Document page = page();
        assertThat(data(page).at("/evaluation/classes"))
                .extracting(JsonNode::asText)
                .containsExactlyElementsOf(SampleRun.CLASSES);
        assertThat(page.select("script")).hasSize(4);
        assertThat(page.select("img, b, main script")).isEmpty();
        assertThat(page.title()).isEqualTo("mobilenet_v2, velu, folder:/photos/</title><b>x");
    }

    @Test
    void thePageRefersToNothingOutsideItself() throws Exception {
        Document page = page();
        List<String> addresses = page.select("[src], link[href]").stream()
                .map((Element e) -> e.hasAttr("src") ? e.attr("src") : e.attr("href"))
                .toList();
        assertThat(addresses).containsExactly("data:,");
        assertThat(page.select("meta[http-equiv=Content-Security-Policy]").attr("content"))
                .startsWith("default-src 'none';")
                .doesNotContain("http");
        assertThat(page.html()).doesNotContain("sourceMappingURL");
    }

    @Test
    void thePageHoldsEveryEpochSiteAndSetting() throws Exception {
        JsonNode data = data(page());
        assertThat(data.path("metrics")).hasSize(3);
        assertThat(data.path("activations")).hasSize(9);
        assertThat(data.at("/activations/0/std").isNull()).isTrue();
        assertThat(data.at("/configuration/batch_size").asInt()).isEqualTo(32);
        assertThat(data.at("/curve/x")).hasSameSizeAs(data.at("/curve/slope"));
    }

    @Test
    void aRunThatHasOnlyItsSettingsAndMetricsHasAPageToo() throws Exception {
        SampleRun.write(folder);
        for (String file : List.of(RunEnvironment.FILE, EvaluationRecord.FILE, ActivityFile.FILE)) {
            Files.delete(folder.resolve(file));
        }
        RunReport.write(folder);
        JsonNode data = data(Jsoup.parse(Files.readString(folder.resolve(RunReport.FILE))));
        assertThat(data.path("evaluation").isNull()).isTrue();
        assertThat(data.path("activations")).isEmpty();
    }

    @Test
    void aFolderWithoutARunIsRefused() {
        assertThatThrownBy(() -> RunReport.write(folder))
                .isInstanceOf(RunException.class)
                .hasMessageContaining("no run in " + folder);
    }

    @Test
    void aDamagedLineIsNamed() throws Exception {
        SampleRun.write(folder);
        Files.writeString(folder.resolve("metrics.jsonl"), SampleRun.metrics(1) + "\n{\"epoch\":\n");
        assertThatThrownBy(() -> RunReport.write(folder))
                .isInstanceOf(RunException.class)
                .hasMessageContaining("metrics.jsonl is damaged in line 2");
    }
}
