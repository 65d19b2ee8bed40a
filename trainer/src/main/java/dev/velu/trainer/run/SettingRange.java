package dev.velu.trainer.run;

import java.util.List;

/** Checks of the settings' ranges; each throws {@link IllegalArgumentException} with the setting, the value and the limit. */
final class SettingRange {
    private SettingRange() {}

    static void oneOf(String name, String value, String... allowed) {
        if (value == null || !List.of(allowed).contains(value)) {
            throw new IllegalArgumentException(
                    "unknown " + name + " '" + value + "'; use one of " + String.join(", ", allowed));
        }
    }

    static void atLeast(String name, int value, int minimum) {
        if (value < minimum) {
            throw new IllegalArgumentException(
                    name + " " + value + (minimum == 1 ? " is not positive" : " is negative"));
        }
    }

    static void between(String name, int value, int minimum, int maximum) {
        atLeast(name, value, minimum);
        if (value > maximum) {
            throw new IllegalArgumentException(name + " " + value + " is above " + maximum + ", the largest possible");
        }
    }

    static void notNegative(String name, float value) {
        if (!(value >= 0 && Float.isFinite(value))) {
            throw new IllegalArgumentException(name + " " + value + " is not a finite number of zero or more");
        }
    }

    static void share(String name, float value) {
        notNegative(name, value);
        if (value > 1) {
            throw new IllegalArgumentException(name + " " + value + " is above 1");
        }
    }
}
