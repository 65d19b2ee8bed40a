package dev.velu.trainer.compare;

import java.util.List;
import java.util.Objects;
import java.util.function.Function;

/**
 * The seeds of one network, activation and data set.
 *
 * @param values of the finished cells
 * @param planned cells in the grid
 * @param mean of the values; null if there is none
 * @param std sample standard deviation; null of fewer than two values
 * @param best whether no other activation of the same network and data set has a better mean; false if there is no other
 * @param seconds mean over the finished cells that one process trained from beginning to end, like what follows; null if there is none
 */
public record CellGroup(
        String activation,
        List<SeedValue> values,
        int planned,
        Double mean,
        Double std,
        boolean best,
        Double seconds,
        Double imagesPerSecond,
        Long plannedMemoryBytes,
        Long peakMemoryBytes) {

    /** @param finished results of the finished cells */
    static CellGroup of(String activation, List<SeedValue> values, int planned, List<CellResult> finished) {
        double[] numbers = values.stream().mapToDouble(SeedValue::value).toArray();
        List<CellResult> inOneGo =
                finished.stream().filter(result -> !result.resumed()).toList();
        return new CellGroup(
                activation,
                values,
                planned,
                numbers.length == 0 ? null : Moments.mean(numbers),
                numbers.length < 2 ? null : Moments.std(numbers),
                false,
                mean(inOneGo, CellResult::seconds),
                mean(inOneGo, CellResult::imagesPerSecond),
                wholeMean(inOneGo, CellResult::plannedMemoryBytes),
                wholeMean(inOneGo, CellResult::peakMemoryBytes));
    }

    CellGroup withBest(boolean is) {
        return new CellGroup(
                activation,
                values,
                planned,
                mean,
                std,
                is,
                seconds,
                imagesPerSecond,
                plannedMemoryBytes,
                peakMemoryBytes);
    }

    private static <T extends Number> Double mean(List<CellResult> results, Function<CellResult, T> field) {
        double[] numbers = results.stream()
                .map(field)
                .filter(Objects::nonNull)
                .mapToDouble(Number::doubleValue)
                .toArray();
        return numbers.length == 0 ? null : Moments.mean(numbers);
    }

    private static Long wholeMean(List<CellResult> results, Function<CellResult, Long> field) {
        Double mean = mean(results, field);
        return mean == null ? null : Math.round(mean);
    }
}
