package dev.velu.trainer.report;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jsoup.Jsoup;

/**
 * Opens pages in a headless Chromium as wide as asked. The page is a copy with a script in front that notes errors and, when
 * everything is drawn, tells the page around it, an iframe's, what there is to see.
 */
final class Browser {
    private static final int PATIENCE_SECONDS = 120;

    private static final String PROBE = """
            <script>
            const noted = [];
            addEventListener("error", event => noted.push("error: " + event.message), true);
            addEventListener("unhandledrejection", event => noted.push("rejected: " + event.reason));
            addEventListener("securitypolicyviolation", event => noted.push("refused: " + event.blockedURI));
            for (const level of ["error", "warn"]) console[level] = (...text) => noted.push(level + ": " + text.join(" "));
            const painted = canvas => {
              const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
              return pixels.some((value, i) => i % 4 === 3 && value > 0);
            };
            addEventListener("load", () => requestAnimationFrame(() => setTimeout(() => parent.postMessage({
              noted,
              requests: performance.getEntriesByType("resource").map(entry => entry.name).filter(name => !name.startsWith("data:")),
              canvases: document.querySelectorAll("canvas").length,
              painted: [...document.querySelectorAll("canvas")].filter(painted).length,
              unnamed: [...document.querySelectorAll("canvas")].filter(canvas => !canvas.getAttribute("aria-label")).length,
              width: document.documentElement.scrollWidth,
              room: document.documentElement.clientWidth,
              sections: [...document.querySelectorAll("main > section")].map(section => section.id),
              images: document.querySelectorAll("img").length,
              links: [...document.querySelectorAll("td a")].map(link => link.getAttribute("href")),
              text: document.body.innerText
            }, "*"), 200)));
            </script>
            """;

    private static final String FRAME = """
            <!DOCTYPE html><title>frame</title><pre id="seen"></pre>
            <script>addEventListener("message", event => { document.getElementById("seen").textContent = JSON.stringify(event.data); });</script>
            <iframe src="%s" style="border: 0; width: %dpx; height: 4000px"></iframe>
            """;

    private Browser() {}

    /** What a page shows; skips the test where there is no Chromium. */
    static JsonNode open(Path page, int width, Path scratch) throws IOException, InterruptedException {
        Optional<Path> chromium = Stream.of("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
                .map(Path::of)
                .filter(Files::isExecutable)
                .findFirst();
        assumeTrue(chromium.isPresent(), "there is no Chromium in /usr/bin");
        Path probed = page.resolveSibling("probed.html");
        Files.writeString(probed, Files.readString(page).replace("<style>", PROBE + "<style>"));
        Path frame = Files.writeString(scratch.resolve("frame.html"), FRAME.formatted(probed.toUri(), width));
        Path dom = scratch.resolve("dom.html");
        Process process = new ProcessBuilder(List.of(
                        chromium.get().toString(),
                        "--headless=new",
                        "--no-sandbox",
                        "--disable-gpu",
                        "--disable-dev-shm-usage",
                        "--no-first-run",
                        "--user-data-dir=" + scratch.resolve("profile"),
                        "--window-size=1400,1000",
                        "--virtual-time-budget=8000",
                        "--dump-dom",
                        frame.toUri().toString()))
                .redirectOutput(dom.toFile())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        List<ProcessHandle> helpers = List.of();
        try {
            while (process.isAlive() && helpers.isEmpty()) {
                Thread.sleep(50);
                helpers = process.descendants().toList();
            }
            assumeTrue(
                    process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS),
                    "Chromium did not finish within " + PATIENCE_SECONDS + " s");
        } finally {
            // Helpers that outlive the first process would write into the folder that is deleted after the test.
            Stream.concat(helpers.stream(), process.descendants()).forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly().waitFor();
            for (ProcessHandle helper : helpers) {
                helper.onExit().completeOnTimeout(helper, 10, TimeUnit.SECONDS).join();
            }
            Files.delete(probed);
        }
        String seen = Jsoup.parse(Files.readString(dom, StandardCharsets.UTF_8))
                .getElementById("seen")
                .text();
        return new ObjectMapper().readTree(seen.isEmpty() ? "null" : seen);
    }
}
