package dev.velu.selftest;

/** How far a result may lie from its reference: {@code relative * magnitude + absolute}. */
record Tolerance(double relative, double absolute) {
    double at(double magnitude) {
        return relative * Math.abs(magnitude) + absolute;
    }
}
