package dev.velu.trainer.profile;

import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * Some native calls of a step together: those of an operation, a layer or a phase.
 *
 * @param calls in one step
 * @param milliseconds the calls take together, each the median over the steps
 * @param share of the median step
 * @param gigaflops multiplications and additions of convolutions and matrix products per second, in 1e9
 * @param gigaflopsShare of the measured matrix product in the same data type
 * @param gigabytesPerSecond that must be moved at least
 * @param gigabytesShare of the measured copy
 * @param limitShare the least time that the limits allow for the calls, each bound by its arithmetic or by its memory, over
 *     the time they take
 */
public record Line(
        String name,
        int calls,
        double milliseconds,
        double share,
        double gigaflops,
        double gigaflopsShare,
        double gigabytesPerSecond,
        double gigabytesShare,
        double limitShare) {
    /** Several lines as one: rates and shares of limits are means over the time. */
    public static Line together(String name, List<Line> lines) {
        return new Line(
                name,
                lines.stream().mapToInt(Line::calls).sum(),
                lines.stream().mapToDouble(Line::milliseconds).sum(),
                lines.stream().mapToDouble(Line::share).sum(),
                mean(lines, Line::gigaflops),
                mean(lines, Line::gigaflopsShare),
                mean(lines, Line::gigabytesPerSecond),
                mean(lines, Line::gigabytesShare),
                mean(lines, Line::limitShare));
    }

    private static double mean(List<Line> lines, ToDoubleFunction<Line> rate) {
        double milliseconds = lines.stream().mapToDouble(Line::milliseconds).sum();
        double weighted = lines.stream()
                .mapToDouble(line -> rate.applyAsDouble(line) * line.milliseconds())
                .sum();
        return milliseconds > 0 ? weighted / milliseconds : 0;
    }
}
