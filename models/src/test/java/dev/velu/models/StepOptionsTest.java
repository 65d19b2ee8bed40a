package dev.velu.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.nn.Parameter;
import dev.velu.nn.ParameterGroup;
import dev.velu.nn.ParameterGroups;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.optim.GradientClip;
import dev.velu.optim.Optimizer;
import dev.velu.optim.OptimizerAlgorithm;
import dev.velu.optim.WeightAverage;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What training steps do beside the least: accumulation, averaged weights, frozen parameters, groups, mixed labels. */
class StepOptionsTest {
    private static final int BATCH = 4;
    private static final int PIXELS = PlainNetwork.SIZE * PlainNetwork.SIZE * 3;
    private static final float RATE = 0.1f;
    private static final OptimizerAlgorithm MOMENTUM = new OptimizerAlgorithm.Sgd(0.9f, false, 0.01f);

    @AutoClose
    private final Context context = open();

    Context open() {
        return Context.open(Device.cpu(), 2, Isa.AUTO);
    }

    /** A network and its step, with parameters drawn from the same seed whatever is frozen. */
    private final class Run implements AutoCloseable {
        final Parameters parameters;
        final Optimizer optimizer;
        final WeightAverage average;
        final TrainingStep step;
        final int batch;

        Run(PlainNetwork network, int batch, Parameters given, OptimizerAlgorithm algorithm, StepOptions options) {
            this(network, NetworkSpec.Precision.FP32, batch, given, algorithm, options, null);
        }

        Run(
                PlainNetwork architecture,
                NetworkSpec.Precision precision,
                int batch,
                Parameters given,
                OptimizerAlgorithm algorithm,
                StepOptions options,
                Double decay) {
            this.batch = batch;
            parameters = given;
            NetworkSpec spec = new NetworkSpec(
                    architecture,
                    PlainNetwork.CLASSES,
                    PlainNetwork.SIZE,
                    null,
                    NetworkSpec.Sites.ALL,
                    NetworkSpec.Head.STANDARD,
                    0,
                    precision);
            Network network = Network.build(spec, parameters, batch, true, NormalizeImage.imageNet());
            parameters.allocate(context, true);
            parameters.initialize(5);
            optimizer = new Optimizer(parameters, algorithm, new GradientClip(0, 1), context);
            average = decay == null ? null : new WeightAverage(parameters, decay, true, context);
            step = new TrainingStep(
                    network, context, optimizer, average == null ? options : options.withAverage(average));
        }

        /** Trains on the images from one on. */
        void train(int firstImage) {
            step.run(images(firstImage, batch), labels(firstImage, batch), RATE);
        }

        float[] values(Parameter parameter) {
            return read(parameters.segment(parameter));
        }

        float[] values(String name) {
            return values(parameters.get(name));
        }

        @Override
        public void close() {
            step.close();
        }
    }

    private float[] read(MemorySegment memory) {
        float[] values = new float[Math.toIntExact(memory.byteSize() / Float.BYTES)];
        context.download(memory, MemorySegment.ofArray(values));
        return values;
    }

    private static MemorySegment images(int first, int count) {
        byte[] pixels = new byte[count * PIXELS];
        for (int image = 0; image < count; image++) {
            byte[] one = new byte[PIXELS];
            new Random(first + image).nextBytes(one);
            System.arraycopy(one, 0, pixels, image * PIXELS, PIXELS);
        }
        return MemorySegment.ofArray(pixels);
    }

    private static MemorySegment labels(int first, int count) {
        int[] labels = new int[count];
        Arrays.setAll(labels, i -> (first + i) * 3 % PlainNetwork.CLASSES);
        return MemorySegment.ofArray(labels);
    }

    private static StepOptions plain() {
        return StepOptions.of(0.1f);
    }

    @Test
    void accumulatedBatchesGiveTheUpdatesOfOneBatchOfTheirSize() {
        PlainNetwork network = new PlainNetwork(false);
        try (Run parts = new Run(network, BATCH, new Parameters(), MOMENTUM, plain().withAccumulation(2));
                Run whole = new Run(network, 2 * BATCH, new Parameters(), MOMENTUM, plain())) {
            for (int i = 0; i < 3; i++) {
                parts.train(2 * BATCH * i);
                parts.train(2 * BATCH * i + BATCH);
                whole.train(2 * BATCH * i);
            }
            float[] expected = read(whole.parameters.values());
            float[] actual = read(parts.parameters.values());
            for (int i = 0; i < expected.length; i++) {
                assertThat(actual[i]).isEqualTo(expected[i], within(2e-6f));
            }
        }
    }

    @Test
    void parametersChangeWithTheLastBatchOfAnUpdateOnly() {
        try (Run run =
                new Run(new PlainNetwork(true), BATCH, new Parameters(), MOMENTUM, plain().withAccumulation(3))) {
            float[] before = read(run.parameters.values());
            for (int i = 0; i < 2; i++) {
                assertThat(run.step.updatesNext()).isFalse();
                run.train(BATCH * i);
                assertThat(read(run.parameters.values())).containsExactly(before);
            }
            assertThat(run.step.updatesNext()).isTrue();
            run.train(2 * BATCH);
            assertThat(read(run.parameters.values())).isNotEqualTo(before);
        }
    }

    @Test
    void aRunGoesOnInTheMiddleOfAnUpdateWithTheSameBits() {
        StepOptions options = plain().withAccumulation(3);
        try (Run through = new Run(new PlainNetwork(true), BATCH, new Parameters(), MOMENTUM, options);
                Run resumed = new Run(new PlainNetwork(true), BATCH, new Parameters(), MOMENTUM, options)) {
            for (int i = 0; i < 6; i++) {
                if (i == 4) {
                    resumed.parameters.copyFrom(through.parameters);
                    copy(through.step.accumulated(), resumed.step.accumulated());
                    copy(through.optimizer.counters(), resumed.optimizer.counters());
                    copy(
                            through.optimizer.states().getFirst(),
                            resumed.optimizer.states().getFirst());
                    resumed.step.nextStep(4);
                }
                through.train(BATCH * i);
                if (i >= 4) {
                    resumed.train(BATCH * i);
                }
            }
            assertThat(read(resumed.parameters.values())).containsExactly(read(through.parameters.values()));
        }
    }

    private void copy(MemorySegment from, MemorySegment to) {
        byte[] bytes = new byte[Math.toIntExact(from.byteSize())];
        context.download(from, MemorySegment.ofArray(bytes));
        context.upload(MemorySegment.ofArray(bytes), to);
    }

    @Test
    void averagedWeightsAndStatisticsFollowThoseOfTheUpdates() {
        double decay = 0.3;
        try (Run run = averaged(decay, plain())) {
            double[] weights = wide(read(run.parameters.trainedValues()));
            double[] statistics = wide(read(run.parameters.statistics()));
            for (int update = 0; update < 5; update++) {
                run.train(BATCH * update);
                double kept = Math.min(decay, (1.0 + update) / (10 + update));
                follow(weights, kept, read(run.parameters.trainedValues()));
                follow(statistics, kept, read(run.parameters.statistics()));
            }
            assertNear(read(run.average.values()), weights);
            assertNear(read(run.average.buffers()), statistics);
        }
    }

    @Test
    void averagedWeightsStayBetweenUpdates() {
        try (Run run = averaged(0.5, plain().withAccumulation(2))) {
            run.train(0);
            float[] statistics = read(run.average.buffers());
            run.train(BATCH);
            float[] after = read(run.average.values());
            assertThat(read(run.average.buffers())).isNotEqualTo(statistics);
            run.train(0);
            assertThat(read(run.average.values())).containsExactly(after);
        }
    }

    private Run averaged(double decay, StepOptions options) {
        return new Run(
                new PlainNetwork(true), NetworkSpec.Precision.FP32, BATCH, new Parameters(), MOMENTUM, options, decay);
    }

    private static double[] wide(float[] values) {
        double[] wide = new double[values.length];
        Arrays.setAll(wide, i -> values[i]);
        return wide;
    }

    private static void follow(double[] average, double kept, float[] values) {
        Arrays.setAll(average, i -> kept * average[i] + (1 - kept) * values[i]);
    }

    private static void assertNear(float[] actual, double[] expected) {
        assertThat(actual).hasSameSizeAs(expected);
        for (int i = 0; i < actual.length; i++) {
            assertThat((double) actual[i]).isEqualTo(expected[i], within(1e-6 * (1 + Math.abs(expected[i]))));
        }
    }

    @Test
    void swappingExchangesTheNetworksValuesWithTheAverageAndBack() {
        try (Run run = averaged(0.9, plain())) {
            run.train(0);
            float[] own = read(run.parameters.values());
            float[] mean = read(run.average.values());
            assertThat(own).isNotEqualTo(mean);
            run.average.swap();
            assertThat(run.average.swapped()).isTrue();
            assertThat(read(run.parameters.trainedValues())).containsExactly(mean);
            assertThatIllegalStateException()
                    .isThrownBy(() -> run.train(0))
                    .withMessageContaining("exchange them with swap()");
            run.average.swap();
            assertThat(read(run.parameters.values())).containsExactly(own);
            assertThat(read(run.average.values())).containsExactly(mean);
            run.train(BATCH);
        }
    }

    @Test
    void frozenParametersAndStatisticsKeepTheirBytesAndTheOthersTrain() {
        Parameters parameters = new Parameters();
        parameters.freeze(new Freezing(List.of("conv1", "bn1")));
        try (Run run = new Run(new PlainNetwork(true), BATCH, parameters, MOMENTUM, plain())) {
            List<float[]> before = parameters.all().stream().map(run::values).toList();
            run.train(0);
            run.train(BATCH);
            for (int i = 0; i < before.size(); i++) {
                Parameter parameter = parameters.all().get(i);
                if (parameter.name().endsWith("1.num_batches_tracked") || parameters.isFrozen(parameter.name())) {
                    assertThat(run.values(parameter)).as(parameter.name()).containsExactly(before.get(i));
                } else {
                    assertThat(run.values(parameter)).as(parameter.name()).isNotEqualTo(before.get(i));
                }
            }
        }
    }

    @Test
    void freezingLeavesTheOtherGradients() {
        Parameters frozen = new Parameters();
        frozen.freeze(new Freezing(List.of("conv1")));
        try (Run part = new Run(new PlainNetwork(false), BATCH, frozen, MOMENTUM, plain());
                Run all = new Run(new PlainNetwork(false), BATCH, new Parameters(), MOMENTUM, plain())) {
            part.train(0);
            all.train(0);
            // What is not differentiated is joined further, which rounds otherwise.
            assertThat(part.step.loss()).isEqualTo(all.step.loss(), within(1e-6f));
            assertNear(
                    read(part.parameters.gradient(part.parameters.get("conv2.weight"))),
                    wide(read(all.parameters.gradient(all.parameters.get("conv2.weight")))));
        }
    }

    @ParameterizedTest
    @EnumSource
    void aFrozenNormPassesTheGradientOn(NetworkSpec.Precision precision) {
        assumeComputed(precision);
        Parameters parameters = new Parameters();
        parameters.freeze(new Freezing(List.of("bn1", "bn2", "fc")));
        OptimizerAlgorithm still = OptimizerAlgorithm.Sgd.defaults();
        try (Run run = new Run(new PlainNetwork(true), precision, BATCH, parameters, still, StepOptions.of(0), null)) {
            double loss = lossAt(run, null, 0);
            assertThat(loss).isPositive();
            float[] gradient = read(parameters.gradients());
            double norm = 0;
            for (float g : gradient) {
                norm += (double) g * g;
            }
            norm = Math.sqrt(norm);
            double distance = precision == NetworkSpec.Precision.FP32 ? 0.01 : 0.2;
            double slope =
                    (lossAt(run, gradient, distance / norm) - lossAt(run, gradient, -distance / norm)) / (2 * distance);
            assertThat(slope).isEqualTo(norm, within((precision == NetworkSpec.Precision.FP32 ? 0.01 : 0.15) * norm));
        }
    }

    private void assumeComputed(NetworkSpec.Precision precision) {
        boolean computed = true;
        try {
            precision.requireOn(context.device());
        } catch (IllegalArgumentException e) {
            computed = false;
        }
        assumeTrue(computed, "the processor does not compute in " + precision.label());
    }

    /** The loss with the trained values moved along a direction, which are put back. */
    private double lossAt(Run run, float[] direction, double distance) {
        float[] values = read(run.parameters.trainedValues());
        float[] moved = values.clone();
        for (int i = 0; direction != null && i < moved.length; i++) {
            moved[i] = (float) (moved[i] + distance * direction[i]);
        }
        context.upload(MemorySegment.ofArray(moved), run.parameters.trainedValues());
        run.step.run(images(0, BATCH), labels(0, BATCH), 0);
        context.upload(MemorySegment.ofArray(values), run.parameters.trainedValues());
        return run.step.loss();
    }

    @Test
    void groupsTrainWithTheirOwnRateAndDecay() {
        OptimizerAlgorithm decaying = new OptimizerAlgorithm.Sgd(0, false, 0.5f);
        Parameters grouped = new Parameters();
        grouped.group(new ParameterGroups(
                List.of(new ParameterGroup("conv1", 0, null), new ParameterGroup("conv2", 2, 0.25f)), true));
        try (Run run = new Run(new PlainNetwork(true), BATCH, grouped, decaying, plain())) {
            assertThat(grouped.runs()).hasSize(4);
            Parameters same = new Parameters();
            same.group(new ParameterGroups(List.of(new ParameterGroup("", 1, null)), false));
            try (Run alike = new Run(new PlainNetwork(true), BATCH, same, decaying, plain())) {
                run.train(0);
                alike.train(0);
                assertUpdated(run, alike, "conv1.weight", 0, 0);
                assertUpdated(run, alike, "conv2.weight", 2, 0.25f);
                assertUpdated(run, alike, "bn2.weight", 1, 0);
                assertUpdated(run, alike, "fc.bias", 1, 0);
                assertUpdated(run, alike, "fc.weight", 1, 0.5f);
                assertThat(run.values("fc.weight")).containsExactly(alike.values("fc.weight"));
            }
        }
    }

    /** One step of plain SGD on a gradient whose norm is clipped: both runs have the same gradients and the same norm. */
    private void assertUpdated(Run run, Run alike, String name, float factor, float decay) {
        float[] gradient = read(run.parameters.gradient(run.parameters.get(name)));
        assertThat(gradient).containsExactly(read(alike.parameters.gradient(alike.parameters.get(name))));
        double norm = 0;
        for (float g : read(run.parameters.gradients())) {
            norm += (double) g * g;
        }
        double scale = Math.min(1, 1 / (Math.sqrt(norm) + 1e-6));
        Parameters untouched = new Parameters();
        try (Run fresh = new Run(new PlainNetwork(true), BATCH, untouched, MOMENTUM, plain())) {
            float[] before = fresh.values(name);
            float[] after = run.values(name);
            for (int i = 0; i < before.length; i++) {
                double expected = before[i] - RATE * factor * (scale * gradient[i] + decay * before[i]);
                assertThat((double) after[i]).as(name).isEqualTo(expected, within(1e-6));
            }
        }
    }

    @Test
    void oneGroupOfAllGivesTheBitsOfNone() {
        Parameters one = new Parameters();
        one.group(new ParameterGroups(List.of(new ParameterGroup("", 1, null)), false));
        OptimizerAlgorithm nadam = OptimizerAlgorithm.Nadam.defaults();
        try (Run grouped = new Run(new PlainNetwork(true), BATCH, one, nadam, plain());
                Run without = new Run(new PlainNetwork(true), BATCH, new Parameters(), nadam, plain())) {
            for (int i = 0; i < 3; i++) {
                grouped.train(i);
                without.train(i);
            }
            assertThat(read(one.values())).containsExactly(read(without.parameters.values()));
        }
    }

    @Test
    void mixedLabelsCostWhatBothCostByTheirShares() {
        OptimizerAlgorithm still = OptimizerAlgorithm.Sgd.defaults();
        try (Run run = new Run(new PlainNetwork(false), BATCH, new Parameters(), still, plain().withMixedLabels())) {
            MemorySegment images = images(0, BATCH);
            MemorySegment first = labels(0, BATCH);
            MemorySegment second = labels(1, BATCH);
            run.step.run(images, first, 0);
            double one = run.step.loss();
            float[] gradientOfOne = read(run.parameters.gradients());
            long top1 = run.step.top1();
            run.step.run(images, second, 0);
            double other = run.step.loss();
            float[] gradientOfOther = read(run.parameters.gradients());
            MemorySegment shares = MemorySegment.ofArray(new float[] {0.25f, 0.25f, 0.25f, 0.25f});
            run.step.run(images, first, second, shares, 0);
            assertThat((double) run.step.loss()).isEqualTo(0.25 * one + 0.75 * other, within(1e-6));
            assertThat(run.step.top1()).isEqualTo(top1);
            float[] gradient = read(run.parameters.gradients());
            for (int i = 0; i < gradient.length; i++) {
                assertThat(gradient[i]).isEqualTo(0.25f * gradientOfOne[i] + 0.75f * gradientOfOther[i], within(1e-6f));
            }
        }
    }

    @Test
    void mixedLabelsAreForStepsMadeForThem() {
        try (Run run = new Run(new PlainNetwork(false), BATCH, new Parameters(), MOMENTUM, plain())) {
            assertThatIllegalStateException()
                    .isThrownBy(() -> run.step.run(
                            images(0, BATCH),
                            labels(0, BATCH),
                            labels(0, BATCH),
                            MemorySegment.ofArray(new float[BATCH]),
                            RATE))
                    .withMessageContaining("StepOptions.withMixedLabels()");
        }
    }

    @Test
    void anAverageOfOtherParametersIsRefused() {
        Parameters others = new Parameters();
        others.allocate(context, true);
        WeightAverage average = new WeightAverage(others, 0.9, false, context);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Run(
                        new PlainNetwork(false), BATCH, new Parameters(), MOMENTUM, plain().withAverage(average)))
                .withMessageContaining("the average was made for other parameters");
    }

    @Test
    void withEverythingFrozenNothingIsLeftToTrain() {
        Parameters parameters = new Parameters();
        parameters.freeze(name -> true);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Run(new PlainNetwork(false), BATCH, parameters, MOMENTUM, plain()))
                .withMessageContaining("all parameters are frozen");
    }

    @Test
    void allOfItTogetherTakesNoMoreMemoryAsItRuns() {
        Parameters parameters = new Parameters();
        parameters.freeze(new Freezing(List.of("conv1", "bn1")));
        parameters.group(new ParameterGroups(List.of(new ParameterGroup("fc", 10, null)), true));
        StepOptions options = plain().withAccumulation(2).withMixedLabels();
        try (Run run = new Run(
                new PlainNetwork(true), NetworkSpec.Precision.FP32, BATCH, parameters, MOMENTUM, options, 0.99)) {
            long planned = context.allocatedBytes();
            float first = 0;
            for (int i = 0; i < 40; i++) {
                run.step.run(
                        images(0, BATCH),
                        labels(0, BATCH),
                        labels(0, BATCH),
                        MemorySegment.ofArray(new float[] {1, 0.5f, 0, 1}),
                        RATE);
                first = i == 0 ? run.step.loss() : first;
            }
            assertThat(run.step.loss()).isLessThan(first);
            assertThat(context.allocatedBytes()).isEqualTo(planned);
        }
    }
}
