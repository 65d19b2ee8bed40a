package dev.velu.trainer.compare;

import java.util.ArrayList;
import java.util.List;
import org.apache.commons.statistics.ranking.NaNStrategy;
import org.apache.commons.statistics.ranking.NaturalRanking;
import org.apache.commons.statistics.ranking.TiesStrategy;

/**
 * The place of an activation among the others, mean over the rows of the table.
 *
 * @param rank 1 is the best; equals share the mean of their places; null if no row has values of all activations
 * @param rows that have
 */
public record MeanRank(String activation, Double rank, int rows) {
    private static final NaturalRanking RANKING = new NaturalRanking(NaNStrategy.FAILED, TiesStrategy.AVERAGE);

    static List<MeanRank> of(List<String> activations, List<SummaryRow> rows, boolean higherIsBetter) {
        List<double[]> places = rows.stream()
                .filter(SummaryRow::complete)
                .map(row -> places(
                        row.groups().stream().mapToDouble(CellGroup::mean).toArray(), higherIsBetter))
                .toList();
        List<MeanRank> ranks = new ArrayList<>();
        for (int i = 0; i < activations.size(); i++) {
            int column = i;
            double[] ofOne = places.stream().mapToDouble(row -> row[column]).toArray();
            ranks.add(new MeanRank(activations.get(i), ofOne.length == 0 ? null : Moments.mean(ofOne), ofOne.length));
        }
        return ranks;
    }

    /** The places of values beside each other, 1 for the best. */
    static double[] places(double[] values, boolean higherIsBetter) {
        double[] directed = values.clone();
        if (higherIsBetter) {
            for (int i = 0; i < directed.length; i++) {
                directed[i] = -directed[i];
            }
        }
        return RANKING.apply(directed);
    }
}
