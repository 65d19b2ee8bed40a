package dev.velu.trainer.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.velu.trainer.augment.Augmentation;
import dev.velu.trainer.augment.Mixing;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class BatchPipelineTest {

    private static final int SIZE = 4;

    /** Image {@code i} is plain of value {@code i}, its label is {@code i % 7}; some indices are corrupt. */
    private static class Numbered implements Dataset {

        private final int count;
        private final Set<Integer> corrupt;
        private final AtomicInteger decoded = new AtomicInteger();
        private volatile long delayMillis;

        Numbered(int count, Integer... corrupt) {
            this.count = count;
            this.corrupt = Set.of(corrupt);
        }

        @Override
        public String name() {
            return "numbered";
        }

        @Override
        public String split() {
            return "train";
        }

        @Override
        public int size() {
            return count;
        }

        @Override
        public List<String> classNames() {
            return List.of("0", "1", "2", "3", "4", "5", "6");
        }

        @Override
        public Normalization normalization() {
            return Normalization.IMAGENET;
        }

        @Override
        public boolean horizontalFlip() {
            return true;
        }

        @Override
        public int label(int index) {
            return index % 7;
        }

        @Override
        public DecodedImage image(int index) throws CorruptImageException {
            decoded.incrementAndGet();
            if (delayMillis > 0) {
                try {
                    Thread.sleep(delayMillis);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
            if (corrupt.contains(index)) {
                throw new CorruptImageException(describe(index), "made so");
            }
            byte[] rgb = new byte[SIZE * SIZE * 3];
            Arrays.fill(rgb, (byte) index);
            return new DecodedImage(SIZE, SIZE, rgb);
        }

        @Override
        public String describe(int index) {
            return "image" + index;
        }

        @Override
        public void close() {}
    }

    private record Copy(int count, byte[] images, int[] labels) {

        static Copy of(Batch batch) {
            return new Copy(
                    batch.count(),
                    batch.images().toArray(ValueLayout.JAVA_BYTE),
                    batch.labels().toArray(ValueLayout.JAVA_INT));
        }

        /** The indices of the images of {@link Numbered}. */
        List<Integer> indices() {
            List<Integer> indices = new ArrayList<>();
            for (int row = 0; row < count; row++) {
                indices.add(images[row * SIZE * SIZE * 3] & 255);
            }
            return indices;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Copy that
                    && count == that.count
                    && Arrays.equals(images, that.images)
                    && Arrays.equals(labels, that.labels);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(images);
        }
    }

    private static BatchPipelineBuilder builder(Dataset dataset) {
        return BatchPipeline.builder(dataset)
                .batchSize(8)
                .imageSize(SIZE)
                .seed(3)
                .decodeThreads(2);
    }

    private static List<Copy> rest(BatchPipeline pipeline) throws Exception {
        List<Copy> copies = new ArrayList<>();
        for (Batch batch = pipeline.next(); batch != null; batch = pipeline.next()) {
            copies.add(Copy.of(batch));
            batch.release();
        }
        return copies;
    }

    private static List<Copy> epoch(BatchPipeline pipeline, int epoch) throws Exception {
        pipeline.startEpoch(epoch, 0);
        return rest(pipeline);
    }

    private static List<Integer> indices(List<Copy> batches) {
        return batches.stream().flatMap(batch -> batch.indices().stream()).toList();
    }

    @Test
    void withoutShuffleBatchesFollowTheDataSet() throws Exception {
        try (BatchPipeline pipeline = builder(new Numbered(21)).build()) {
            List<Copy> batches = epoch(pipeline, 0);
            assertThat(pipeline.batchesPerEpoch()).isEqualTo(3);
            assertThat(batches).extracting(Copy::count).containsExactly(8, 8, 5);
            for (int i = 0; i < 21; i++) {
                assertThat(indices(batches).get(i)).isEqualTo(i);
                assertThat(batches.get(i / 8).labels()[i % 8]).isEqualTo(i % 7);
            }
        }
    }

    @Test
    void rowsBeyondTheCountHaveLabelMinusOneAndZeroPixels() throws Exception {
        try (BatchPipeline pipeline = builder(new Numbered(21)).ringSize(1).build()) {
            Copy last = epoch(pipeline, 0).getLast();
            assertThat(last.labels()).containsExactly(2, 3, 4, 5, 6, -1, -1, -1);
            assertThat(Arrays.copyOfRange(last.images(), 5 * 48, 8 * 48)).containsOnly(0);
        }
    }

    @Test
    void everyRowKnowsItsImageAlsoWhereOthersWereSkipped() throws Exception {
        try (BatchPipeline pipeline = builder(new Numbered(20, 14, 12, 3))
                .corruptImages(CorruptImagePolicy.SKIP)
                .build()) {
            pipeline.startEpoch(0, 0);
            List<Integer> images = new ArrayList<>();
            for (Batch batch = pipeline.next(); batch != null; batch = pipeline.next()) {
                for (int row = 0; row < batch.count(); row++) {
                    images.add(batch.index(row));
                }
                batch.release();
            }
            assertThat(images).containsExactly(0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 16, 17, 18, 19);
        }
    }

    @Test
    void memoryIsOffHeapAndAligned() throws Exception {
        try (BatchPipeline pipeline = builder(new Numbered(21)).build()) {
            pipeline.startEpoch(0, 0);
            Batch batch = pipeline.next();
            assertThat(batch.images().isNative()).isTrue();
            assertThat(batch.images().byteSize()).isEqualTo(8 * 48);
            assertThat(batch.images().address() % 64).isZero();
            assertThat(batch.labels().address() % 64).isZero();
            assertThat(batch.labels().byteSize()).isEqualTo(32);
        }
    }

    @Test
    void batchesLieInTheMemoryGivenAndItIsFreedOnce() throws Exception {
        List<MemorySegment> given = new ArrayList<>();
        List<MemorySegment> freed = new ArrayList<>();
        try (Arena arena = Arena.ofShared()) {
            BatchPipeline pipeline = builder(new Numbered(21))
                    .ringSize(2)
                    .memory(
                            bytes -> {
                                given.add(arena.allocate(bytes, 64));
                                return given.getLast();
                            },
                            freed::add)
                    .build();
            pipeline.startEpoch(0, 0);
            Batch batch = pipeline.next();
            assertThat(given)
                    .hasSize(2)
                    .anyMatch(
                            memory -> memory.asOverlappingSlice(batch.images()).isPresent());
            assertThat(batch.labels().address() % 64).isZero();
            assertThat(freed).isEmpty();
            pipeline.close();
            pipeline.close();
            assertThat(freed).isEqualTo(given);
        }
    }

    @Test
    void memoryThatCannotBeHadIsReportedAndTheRestFreed() {
        List<MemorySegment> freed = new ArrayList<>();
        AtomicInteger left = new AtomicInteger(2);
        try (Arena arena = Arena.ofShared()) {
            BatchPipelineBuilder settings = builder(new Numbered(21))
                    .ringSize(3)
                    .memory(
                            bytes -> {
                                if (left.getAndDecrement() == 0) {
                                    throw new IllegalStateException("no page-locked memory");
                                }
                                return arena.allocate(bytes, 64);
                            },
                            freed::add);
            assertThatThrownBy(settings::build).hasMessage("no page-locked memory");
            assertThat(freed).hasSize(2);
        }
    }

    @Test
    void everyEpochShowsEveryImageOnceInItsOwnOrder() throws Exception {
        try (BatchPipeline pipeline = builder(new Numbered(60)).shuffle(true).build()) {
            List<Integer> first = indices(epoch(pipeline, 0));
            List<Integer> second = indices(epoch(pipeline, 1));
            assertThat(first).hasSize(60).doesNotHaveDuplicates().isNotEqualTo(second);
            assertThat(second).hasSize(60).doesNotHaveDuplicates();
            assertThat(indices(epoch(pipeline, 0))).isEqualTo(first);
        }
    }

    @Test
    void incompleteBatchIsDroppedOnRequest() throws Exception {
        try (BatchPipeline pipeline = builder(new Numbered(21)).dropLast(true).build()) {
            assertThat(pipeline.batchesPerEpoch()).isEqualTo(2);
            assertThat(epoch(pipeline, 0)).extracting(Copy::count).containsExactly(8, 8);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1 << 20})
    void batchesDoNotDependOnThreadsOrRing(long cacheBytes) throws Exception {
        Dataset shapes = DatasetCatalog.open("shapes", null, new ShapesOptions(70, 10, 20, 1))
                .train();
        List<List<Copy>> runs = new ArrayList<>();
        for (int threads : new int[] {1, 2, 5}) {
            try (BatchPipeline pipeline = BatchPipeline.builder(shapes)
                    .batchSize(16)
                    .imageSize(12)
                    .shuffle(true)
                    .seed(9)
                    .augmentation(new Augmentation(2, true))
                    .decodeThreads(threads)
                    .ringSize(threads)
                    .cacheBytes(cacheBytes)
                    .build()) {
                List<Copy> both = epoch(pipeline, 0);
                both.addAll(epoch(pipeline, 1));
                runs.add(both);
            }
        }
        assertThat(runs.get(0)).hasSize(10);
        assertThat(runs.get(1)).isEqualTo(runs.get(0));
        assertThat(runs.get(2)).isEqualTo(runs.get(0));
    }

    @Test
    void mixedBatchesDoNotDependOnThreadsAndCanBeContinuedInTheMiddle() throws Exception {
        Dataset shapes = DatasetCatalog.open("shapes", null, new ShapesOptions(70, 10, 20, 1))
                .train();
        List<List<Copy>> runs = new ArrayList<>();
        for (int threads : new int[] {1, 4}) {
            try (BatchPipeline pipeline = BatchPipeline.builder(shapes)
                    .batchSize(16)
                    .imageSize(12)
                    .shuffle(true)
                    .seed(9)
                    .augmentation(new Augmentation(0.3f, 1, true, 0.2f, 2, 9, 0.5f))
                    .mixing(new Mixing(0.4f, 1))
                    .decodeThreads(threads)
                    .build()) {
                List<Copy> all = epoch(pipeline, 3);
                runs.add(all);
                pipeline.startEpoch(3, 2);
                assertThat(rest(pipeline)).isEqualTo(all.subList(2, 5));
            }
        }
        assertThat(runs.get(1)).isEqualTo(runs.get(0));
    }

    @Test
    void aPipelineThatMixesGivesOtherLabelsAndSharesAndOthersGiveNone() throws Exception {
        try (BatchPipeline pipeline =
                builder(new Numbered(20)).mixing(new Mixing(1, 0)).build()) {
            pipeline.startEpoch(0, 2);
            Batch last = pipeline.next();
            assertThat(last.labels().toArray(ValueLayout.JAVA_INT)).containsExactly(2, 3, 4, 5, -1, -1, -1, -1);
            assertThat(last.otherLabels().toArray(ValueLayout.JAVA_INT)).containsExactly(5, 2, 3, 4, -1, -1, -1, -1);
            assertThat(last.shares().toArray(ValueLayout.JAVA_FLOAT)[7]).isEqualTo(1);
            assertThat(last.shares().address() % 64).isZero();
        }
        try (BatchPipeline pipeline = builder(new Numbered(20)).build()) {
            pipeline.startEpoch(0, 0);
            assertThat(pipeline.next().shares().byteSize()).isZero();
        }
    }

    @Test
    void seedChangesOrderAndAugmentation() throws Exception {
        Dataset shapes = DatasetCatalog.open("shapes", null, new ShapesOptions(16, 10, 20, 1))
                .train();
        List<List<Copy>> runs = new ArrayList<>();
        for (int seed : new int[] {1, 2}) {
            try (BatchPipeline pipeline = BatchPipeline.builder(shapes)
                    .batchSize(16)
                    .imageSize(20)
                    .seed(seed)
                    .augmentation(new Augmentation(2, true))
                    .build()) {
                runs.add(epoch(pipeline, 0));
                runs.add(epoch(pipeline, 1));
            }
        }
        assertThat(new HashSet<>(runs)).hasSize(4);
    }

    @Test
    void epochStartedInTheMiddleYieldsTheTail() throws Exception {
        Numbered dataset = new Numbered(100, 17, 55);
        BatchPipelineBuilder settings = builder(dataset)
                .shuffle(true)
                .dropLast(true)
                .augmentation(new Augmentation(1, true))
                .corruptImages(CorruptImagePolicy.SKIP);
        List<Copy> whole;
        try (BatchPipeline pipeline = settings.build()) {
            whole = epoch(pipeline, 4);
        }
        assertThat(whole).hasSize(12);
        try (BatchPipeline pipeline = settings.build()) {
            for (int first : new int[] {5, 0, 11, 12}) {
                pipeline.startEpoch(4, first);
                assertThat(rest(pipeline)).isEqualTo(whole.subList(first, 12));
            }
        }
    }

    @Test
    void restartInTheMiddleOfWorkIsClean() throws Exception {
        Numbered dataset = new Numbered(48);
        try (BatchPipeline pipeline =
                builder(dataset).shuffle(true).cacheBytes(0).ringSize(2).build()) {
            List<Copy> whole = epoch(pipeline, 0);
            dataset.delayMillis = 1;
            for (int i = 1; i < 20; i++) {
                pipeline.startEpoch(i, 0);
                if (i % 2 == 0) {
                    pipeline.next().release();
                }
                Thread.sleep(i % 5);
                assertThat(epoch(pipeline, 0)).isEqualTo(whole);
            }
        }
    }

    @Test
    void heldBatchSurvivesARestart() throws Exception {
        try (BatchPipeline pipeline = builder(new Numbered(40)).ringSize(2).build()) {
            pipeline.startEpoch(0, 0);
            Batch held = pipeline.next();
            pipeline.startEpoch(1, 2);
            assertThat(rest(pipeline)).hasSize(3);
            assertThat(Copy.of(held).indices()).containsExactly(0, 1, 2, 3, 4, 5, 6, 7);
            held.release();
        }
    }

    @Test
    void smallDataSetIsDecodedOnce() throws Exception {
        Numbered dataset = new Numbered(40, 3);
        try (BatchPipeline pipeline =
                builder(dataset).corruptImages(CorruptImagePolicy.SKIP).build()) {
            List<Copy> first = epoch(pipeline, 0);
            assertThat(epoch(pipeline, 1)).isEqualTo(first);
            assertThat(dataset.decoded).hasValue(40);
        }
    }

    @Test
    void dataSetAboveTheCacheLimitIsDecodedAgain() throws Exception {
        Numbered dataset = new Numbered(40);
        try (BatchPipeline pipeline = builder(dataset).cacheBytes(40 * 48 - 1).build()) {
            epoch(pipeline, 0);
            epoch(pipeline, 1);
            assertThat(dataset.decoded).hasValue(80);
        }
    }

    @Test
    void corruptImageFailsWhenItsBatchIsDue() throws Exception {
        try (BatchPipeline pipeline = builder(new Numbered(40, 14, 12, 30)).build()) {
            pipeline.startEpoch(0, 0);
            pipeline.next().release();
            for (int i = 0; i < 2; i++) {
                assertThatThrownBy(pipeline::next)
                        .isInstanceOf(CorruptImageException.class)
                        .hasMessageContaining("'image12'");
            }
            pipeline.startEpoch(0, 2);
            assertThat(Copy.of(pipeline.next()).indices()).startsWith(16);
        }
    }

    @Test
    void firstCorruptImageOfABatchIsNamedWhicheverThreadIsFirst() {
        Numbered dataset = new Numbered(16, 0, 15);
        dataset.delayMillis = 2;
        try (BatchPipeline pipeline = builder(dataset).batchSize(16).build()) {
            pipeline.startEpoch(0, 0);
            assertThatThrownBy(pipeline::next).hasMessageContaining("'image0'");
        }
    }

    @Test
    void skippedImagesAreLeftOutAndCountedOnce() throws Exception {
        try (BatchPipeline pipeline = builder(new Numbered(20, 14, 12, 3))
                .corruptImages(CorruptImagePolicy.SKIP)
                .build()) {
            for (int epoch = 0; epoch < 2; epoch++) {
                List<Copy> batches = epoch(pipeline, epoch);
                assertThat(batches).extracting(Copy::count).containsExactly(7, 6, 4);
                assertThat(indices(batches)).containsExactly(0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 16, 17, 18, 19);
                assertThat(batches.getFirst().labels()).containsExactly(0, 1, 2, 4, 5, 6, 0, -1);
                assertThat(Arrays.copyOfRange(batches.getFirst().images(), 7 * 48, 8 * 48))
                        .containsOnly(0);
                assertThat(pipeline.skippedImages()).isEqualTo(3);
                assertThat(pipeline.skippedDescriptions())
                        .containsExactly("'image3': made so", "'image12': made so", "'image14': made so");
            }
        }
    }

    @Test
    void fullBatchesStayFullBySubstitutes() throws Exception {
        try (BatchPipeline pipeline = builder(new Numbered(40, 2, 22))
                .corruptImages(CorruptImagePolicy.SKIP)
                .dropLast(true)
                .build()) {
            List<Copy> batches = epoch(pipeline, 0);
            assertThat(batches).extracting(Copy::count).containsOnly(8);
            // Image 2 gives way to the one half an epoch later, 22, and that, corrupt too, to the next.
            assertThat(batches.getFirst().indices()).containsExactly(0, 1, 23, 3, 4, 5, 6, 7);
            assertThat(batches.getFirst().labels()[2]).isEqualTo(23 % 7);
            assertThat(pipeline.skippedImages()).isEqualTo(2);
        }
    }

    @Test
    void batchWithoutAnyImageIsPassedOver() throws Exception {
        try (BatchPipeline pipeline = BatchPipeline.builder(new Numbered(6, 2, 3))
                .batchSize(2)
                .imageSize(SIZE)
                .corruptImages(CorruptImagePolicy.SKIP)
                .build()) {
            assertThat(epoch(pipeline, 0)).extracting(Copy::indices).containsExactly(List.of(0, 1), List.of(4, 5));
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void dataSetWithoutAnyImageIsRefused(boolean dropLast) {
        try (BatchPipeline pipeline = BatchPipeline.builder(new Numbered(3, 0, 1, 2))
                .batchSize(2)
                .imageSize(SIZE)
                .dropLast(dropLast)
                .corruptImages(CorruptImagePolicy.SKIP)
                .build()) {
            assertThatThrownBy(() -> epoch(pipeline, 0))
                    .isInstanceOf(DataException.class)
                    .hasMessageContaining("not one of the 3 train images of numbered");
        }
    }

    @Test
    void atMostTwentySkippedImagesAreDescribed() throws Exception {
        Integer[] corrupt = new Integer[30];
        Arrays.setAll(corrupt, i -> i);
        try (BatchPipeline pipeline = builder(new Numbered(40, corrupt))
                .corruptImages(CorruptImagePolicy.SKIP)
                .build()) {
            epoch(pipeline, 0);
            assertThat(pipeline.skippedImages()).isEqualTo(30);
            assertThat(pipeline.skippedDescriptions()).hasSize(20);
        }
    }

    @Test
    void failureOfAnyKindReachesTheConsumer() {
        Dataset closed = DatasetCatalog.open("shapes", null, new ShapesOptions(20, 1, 20, 0))
                .train();
        try (BatchPipeline pipeline = builder(new Numbered(20) {
                    @Override
                    public DecodedImage image(int index) {
                        throw new UnsupportedOperationException("bug in " + closed.name());
                    }
                })
                .build()) {
            pipeline.startEpoch(0, 0);
            assertThatThrownBy(pipeline::next)
                    .isInstanceOf(UnsupportedOperationException.class)
                    .hasMessage("bug in shapes");
        }
    }

    @Test
    void waitingIsCountedSinceTheEpochBegan() throws Exception {
        Numbered dataset = new Numbered(8);
        dataset.delayMillis = 10;
        try (BatchPipeline pipeline = builder(dataset).decodeThreads(1).build()) {
            epoch(pipeline, 0);
            assertThat(pipeline.waitNanos()).isGreaterThan(40_000_000L);
            pipeline.startEpoch(1, 1);
            assertThat(pipeline.waitNanos()).isZero();
        }
    }

    @Test
    void decodingStopsWhenTheRingIsFull() throws Exception {
        Numbered dataset = new Numbered(200);
        try (BatchPipeline pipeline = builder(dataset).ringSize(3).build()) {
            pipeline.startEpoch(0, 0);
            Batch batch = pipeline.next();
            for (int i = 0; i < 200 && dataset.decoded.get() < 24; i++) {
                Thread.sleep(5);
            }
            Thread.sleep(30);
            assertThat(dataset.decoded).hasValue(24);
            batch.release();
            assertThat(rest(pipeline)).hasSize(24);
        }
    }

    @Test
    void holdingTheWholeRingIsReportedInsteadOfWaitedFor() throws Exception {
        try (BatchPipeline pipeline = builder(new Numbered(40)).ringSize(2).build()) {
            pipeline.startEpoch(0, 0);
            pipeline.next();
            pipeline.next();
            assertThatThrownBy(pipeline::next)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("all 2 batches");
        }
    }

    @Test
    void releasingTwiceIsRefused() throws Exception {
        try (BatchPipeline pipeline = builder(new Numbered(40)).build()) {
            pipeline.startEpoch(0, 0);
            Batch batch = pipeline.next();
            batch.release();
            assertThatThrownBy(batch::release).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void closeDuringWorkEndsTheThreadsAndFreesTheMemory() throws Exception {
        Numbered dataset = new Numbered(200);
        dataset.delayMillis = 5;
        BatchPipeline pipeline = builder(dataset).decodeThreads(3).build();
        pipeline.startEpoch(0, 0);
        Batch batch = pipeline.next();
        MemorySegment images = batch.images();
        long start = System.nanoTime();
        pipeline.close();
        pipeline.close();
        assertThat(System.nanoTime() - start).isLessThan(2_000_000_000L);
        int decoded = dataset.decoded.get();
        Thread.sleep(30);
        assertThat(dataset.decoded).hasValue(decoded);
        assertThatThrownBy(() -> images.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
        batch.release();
        assertThatThrownBy(pipeline::next)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("closed");
        assertThatThrownBy(() -> pipeline.startEpoch(0, 0)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void closeWakesAConsumerThatWaits() throws Exception {
        Numbered dataset = new Numbered(8);
        dataset.delayMillis = 200;
        BatchPipeline pipeline = builder(dataset).decodeThreads(1).build();
        pipeline.startEpoch(0, 0);
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        CountDownLatch begun = new CountDownLatch(1);
        Thread consumer = Thread.ofPlatform().start(() -> {
            begun.countDown();
            try {
                pipeline.next();
            } catch (Exception e) {
                thrown.set(e);
            }
        });
        begun.await();
        pipeline.close();
        consumer.join();
        assertThat(thrown.get()).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void threadsAreNamedDaemons() {
        Numbered dataset = new Numbered(8);
        try (BatchPipeline pipeline = builder(dataset).decodeThreads(2).build()) {
            assertThat(pipeline.batchesPerEpoch()).isEqualTo(1);
            List<Thread> threads = Thread.getAllStackTraces().keySet().stream()
                    .filter(thread -> thread.getName().startsWith("velu-decode-"))
                    .toList();
            assertThat(threads).hasSizeGreaterThanOrEqualTo(2).allMatch(Thread::isDaemon);
        }
    }

    @Test
    void settingsOutOfRangeAreRefused() {
        BatchPipelineBuilder settings = BatchPipeline.builder(new Numbered(8));
        assertThatThrownBy(() -> settings.batchSize(0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("batch size 0");
        assertThatThrownBy(() -> settings.imageSize(-5)).hasMessageContaining("image size -5");
        assertThatThrownBy(settings::build).hasMessageContaining("batch size 0");
        assertThatThrownBy(() ->
                        settings.batchSize(9).imageSize(SIZE).dropLast(true).build())
                .isInstanceOf(DataException.class)
                .hasMessageContainingAll("batch size 9", "8 train images");
    }

    @Test
    void epochOutOfRangeIsRefused() {
        try (BatchPipeline pipeline = builder(new Numbered(8)).build()) {
            assertThatThrownBy(pipeline::next).hasMessageContaining("startEpoch");
            assertThatThrownBy(() -> pipeline.startEpoch(-1, 0)).hasMessageContaining("epoch -1");
            assertThatThrownBy(() -> pipeline.startEpoch(0, 2)).hasMessageContaining("first batch 2 is outside 0..1");
        }
    }
}
