package dev.velu.trainer.compare;

import java.util.ArrayList;
import java.util.List;

/** Names as one text with commas. */
public final class Names {
    private Names() {}

    /**
     * The names; a comma behind {@code folder:} or {@code zip:} separates, too.
     *
     * @param what they are names of, for the message
     * @throws IllegalArgumentException if there is nothing between two commas
     */
    public static List<String> split(String what, String text) {
        List<String> names = new ArrayList<>();
        for (String name : text.split(",", -1)) {
            if (name.isBlank()) {
                throw new IllegalArgumentException(what + " '" + text + "' has an empty name; write e.g. a,b");
            }
            names.add(name.strip());
        }
        return names;
    }
}
