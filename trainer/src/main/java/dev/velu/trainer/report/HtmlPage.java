package dev.velu.trainer.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import dev.velu.trainer.run.WholeFile;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A page made of this package's resources: a template in which {@code {{name}}} stands for styles, scripts and data. Everything
 * is in the one file, and a content security policy in it keeps the page from asking for anything else.
 */
final class HtmlPage {
    private static final Pattern PLACEHOLDER = Pattern.compile("\\{\\{([a-z]+)}}");
    private static final String CHARTS = "chart.umd.min.js";

    private HtmlPage() {}

    /**
     * Writes a page, whole or not at all.
     *
     * @param template name of the resource
     * @param script name of the resource that fills the page
     * @param title plain text
     * @param data what the script finds as JSON
     */
    static void write(Path file, String template, String script, String title, JsonNode data) throws IOException {
        Map<String, String> parts = Map.of(
                "title", escape(title),
                "style", resource("report.css"),
                "charts", resource(CHARTS).replaceAll("\n//# sourceMappingURL=.*", "\n"),
                "common", resource("report.js"),
                "script", resource(script),
                "data", embeddable(data));
        String page = PLACEHOLDER
                .matcher(resource(template))
                .replaceAll(match -> Matcher.quoteReplacement(part(parts, match.group(1), template)));
        WholeFile.write(file, page);
    }

    private static String part(Map<String, String> parts, String name, String template) {
        String part = parts.get(name);
        if (part == null) {
            throw new IllegalStateException("the template " + template + " asks for {{" + name + "}}, there is none");
        }
        return part;
    }

    /**
     * JSON that may stand in a script element: names of classes and files are other people's, and {@code </script>} or
     * {@code <!--} in one would end or change the element.
     */
    static String embeddable(JsonNode data) throws JsonProcessingException {
        return ReportJson.MAPPER
                .writeValueAsString(data)
                .replace("<", "\\u003c")
                .replace(">", "\\u003e")
                .replace("&", "\\u0026")
                .replace("\u2028", "\\u2028")
                .replace("\u2029", "\\u2029");
    }

    static String escape(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }

    private static String resource(String name) throws IOException {
        try (InputStream in = HtmlPage.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new FileNotFoundException(
                        "this build lacks the resource " + name + " of its reports; build it whole, with mvn package");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
