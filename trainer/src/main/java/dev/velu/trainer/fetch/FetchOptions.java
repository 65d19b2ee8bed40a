package dev.velu.trainer.fetch;

import java.net.URI;
import java.time.Duration;

/**
 * How patient a fetch is.
 *
 * @param connectTimeout for a connection to be made
 * @param readTimeout for the next bytes of an answer to come
 * @param attempts how often in a row one address may bring nothing new before the next one is tried, at least 1
 * @param pause before the second attempt; twice as long before each further one, 30 s at most
 * @param mirror a folder on a server that has NAME/FILE, asked before the published addresses; null for none
 */
public record FetchOptions(Duration connectTimeout, Duration readTimeout, int attempts, Duration pause, URI mirror) {

    /** @throws IllegalArgumentException if there is no attempt, or the mirror is not an http or https address */
    public FetchOptions {
        if (attempts < 1) {
            throw new IllegalArgumentException("attempts " + attempts + " is not positive");
        }
        if (mirror != null && (!isWeb(mirror) || mirror.getHost() == null)) {
            throw new IllegalArgumentException(
                    "mirror '" + mirror + "' is not a web address; give one that begins with http:// or https://");
        }
    }

    /** Twenty seconds to connect, a minute of silence, five attempts a second, two, four and eight apart. */
    public static FetchOptions defaults() {
        return new FetchOptions(Duration.ofSeconds(20), Duration.ofSeconds(60), 5, Duration.ofSeconds(1), null);
    }

    /** The same with another mirror. */
    public FetchOptions withMirror(URI mirror) {
        return new FetchOptions(connectTimeout, readTimeout, attempts, pause, mirror);
    }

    static boolean isWeb(URI address) {
        return "http".equalsIgnoreCase(address.getScheme()) || "https".equalsIgnoreCase(address.getScheme());
    }
}
