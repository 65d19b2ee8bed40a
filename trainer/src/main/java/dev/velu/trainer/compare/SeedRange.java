package dev.velu.trainer.compare;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Seeds as they are written: {@code 0,1,5} or {@code 0-4} or both. */
public final class SeedRange {
    private static final Pattern RANGE = Pattern.compile("(-?\\d{1,18})(?:-(-?\\d{1,18}))?");
    private static final int MOST = 10_000;

    private SeedRange() {}

    /**
     * Reads seeds and ranges of seeds.
     *
     * @throws IllegalArgumentException if a part is neither a whole number nor a range upwards
     */
    public static List<Long> parse(String text) {
        List<Long> seeds = new ArrayList<>();
        for (String part : text.split(",", -1)) {
            Matcher matcher = RANGE.matcher(part.strip());
            if (!matcher.matches()) {
                throw new IllegalArgumentException(
                        "seeds '" + text + "': '" + part.strip() + "' is no seed; write 0,1,2 or 0-2");
            }
            long first = Long.parseLong(matcher.group(1));
            long last = matcher.group(2) == null ? first : Long.parseLong(matcher.group(2));
            if (last < first) {
                throw new IllegalArgumentException(
                        "seeds '" + text + "': the range " + part.strip() + " goes down; write " + last + "-" + first);
            }
            if (last - first >= MOST - seeds.size()) {
                throw new IllegalArgumentException(
                        "seeds '" + text + "' are more than " + MOST + ", the most there can be");
            }
            for (long seed = first; seed <= last; seed++) {
                seeds.add(seed);
            }
        }
        return seeds;
    }
}
