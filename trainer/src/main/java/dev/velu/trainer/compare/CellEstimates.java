package dev.velu.trainer.compare;

import dev.velu.device.Device;
import dev.velu.device.VeluException;
import dev.velu.models.NetworkSpec;
import dev.velu.models.PlannedMemory;
import dev.velu.trainer.data.DatasetCatalog;
import dev.velu.trainer.data.DatasetPair;
import dev.velu.trainer.peer.TrainingSteps;
import dev.velu.trainer.run.RunConfiguration;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * What the cells of a grid will take: the time of finished cells where there are such, else that of some training steps on random images,
 * timed once per network, activation and data set. Reading images is not in that, nor the start of the process.
 */
public final class CellEstimates {
    /** The first step chooses implementations. */
    private static final int WARM_UP = 1;

    private static final int TIMED = 3;
    /** A training step is about three inference steps: forward, and twice as much backward. */
    private static final double INFERENCE_SHARE = 1.0 / 3;

    private final List<CellResult> finished;
    private final Map<RunConfiguration, CellEstimate> measured = new HashMap<>();
    private final Map<String, DatasetSize> datasets = new HashMap<>();

    /** Images of a data set, before limits. */
    private record DatasetSize(int classes, int train, int eval, int imageSize) {}

    /** @param results of an earlier run of the comparison, by the cells' ids */
    public CellEstimates(Map<String, CellResult> results) {
        finished = results.values().stream()
                .filter(result -> result.status() == CellStatus.OK)
                .toList();
    }

    /** @throws dev.velu.trainer.data.DataException if the data set cannot be used */
    public CellEstimate of(Cell cell) {
        for (CellResult result : finished) {
            if (result.cell().equals(cell.id())) {
                return new CellEstimate(0, result.plannedMemoryBytes(), CellEstimate.Source.DONE, null);
            }
        }
        List<CellResult> alike = finished.stream()
                .filter(result -> result.model().equals(cell.model())
                        && result.activation().equals(cell.activation())
                        && result.data().equals(cell.data()))
                .toList();
        if (!alike.isEmpty()) {
            return new CellEstimate(
                    CellEstimate.ofFinished(cell, alike),
                    alike.getFirst().plannedMemoryBytes(),
                    CellEstimate.Source.FINISHED,
                    null);
        }
        return measured.computeIfAbsent(cell.configuration().with(Map.of("seed", 0L)), this::measure);
    }

    private CellEstimate measure(RunConfiguration configuration) {
        DatasetSize data = datasets.computeIfAbsent(configuration.data(), name -> size(configuration));
        NetworkSpec spec = configuration.network(
                data.classes(), Objects.requireNonNullElse(configuration.size(), data.imageSize()));
        try (TrainingSteps steps = new TrainingSteps(
                configuration, spec, Device.parse(configuration.device()), configuration.contextOptions())) {
            steps.run(WARM_UP);
            double step = median(steps.run(TIMED)) / 1000;
            int batch = configuration.batchSize();
            int train = limited(data.train(), configuration.limitTrain(), configuration);
            int eval = limited(data.eval(), configuration.limitEval(), configuration);
            double epoch = step * (train / batch) + step * INFERENCE_SHARE * Math.ceil((double) eval / batch);
            PlannedMemory inference = PlannedMemory.inference(spec, batch, steps.context());
            long memory = steps.context().allocatedBytes()
                    + inference.packedParameters()
                    + inference.temporaries()
                    + inference.inputsAndResults();
            return new CellEstimate(configuration.epochs() * epoch, memory, CellEstimate.Source.MEASURED, null);
        } catch (VeluException e) {
            return new CellEstimate(-1, null, CellEstimate.Source.UNKNOWN, e.getMessage());
        }
    }

    private static DatasetSize size(RunConfiguration configuration) {
        Path folder = configuration.dataDir() == null ? null : Path.of(configuration.dataDir());
        try (DatasetPair pair = DatasetCatalog.open(configuration.data(), folder)) {
            return new DatasetSize(
                    pair.train().classNames().size(),
                    pair.train().size(),
                    pair.eval().size(),
                    DatasetCatalog.entry(configuration.data()).imageSize());
        }
    }

    /** What is drawn on demand has as many images as are asked for. */
    private static int limited(int images, Integer limit, RunConfiguration configuration) {
        if (limit == null) {
            return images;
        }
        return configuration.data().equals("shapes") ? limit : Math.min(limit, images);
    }

    private static double median(double[] milliseconds) {
        double[] sorted = milliseconds.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }
}
