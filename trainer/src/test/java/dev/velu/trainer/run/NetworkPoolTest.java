package dev.velu.trainer.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.models.Network;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.trainer.data.DecodedImage;
import dev.velu.trainer.run.TrainedNetwork.Prediction;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.io.TempDir;

/** A pool of copies of a network that was not trained: its answers are as good as any to compare. */
@Timeout(value = 60, threadMode = ThreadMode.SEPARATE_THREAD)
class NetworkPoolTest {
    private static final int SIZE = 32;
    private static final int THREADS = 6;

    @TempDir
    static Path folder;

    private static Path checkpoint;

    @BeforeAll
    static void write() throws IOException {
        checkpoint = folder.resolve("checkpoint.safetensors");
        RunConfiguration configuration = RunConfiguration.defaults().with(Map.of("model", "mobilenet_v2"));
        NormalizeImage normalization = NormalizeImage.imageNet();
        Parameters parameters = new Parameters();
        Network.build(configuration.network(3, SIZE), parameters, 1, false, normalization);
        try (Context context = Context.open(Device.cpu(), 1, Isa.AUTO)) {
            parameters.allocate(context, false);
            parameters.initialize(1);
            new Checkpoint(
                            configuration,
                            List.of("ant", "bee", "cat"),
                            SIZE,
                            normalization.mean(),
                            normalization.std(),
                            null)
                    .write(checkpoint, parameters, List.of(), context);
        }
    }

    @Test
    void severalThreadsGetTheAnswersOfOne() throws Exception {
        List<DecodedImage> images = Stream.iterate(0, i -> i + 1)
                .limit(8)
                .map(NetworkPoolTest::image)
                .toList();
        List<List<Prediction>> expected = new ArrayList<>();
        try (TrainedNetwork network = new TrainedNetwork(checkpoint, Device.cpu(), 1, 1)) {
            images.forEach(image -> expected.add(network.predict(image, 3)));
        }
        Callable<List<List<Prediction>>> askAll;
        try (NetworkPool pool = new NetworkPool(checkpoint, Device.cpu(), 2, 1);
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            askAll = () -> {
                List<List<Prediction>> answers = new ArrayList<>();
                for (DecodedImage image : images) {
                    answers.add(pool.predict(image, 3));
                }
                return answers;
            };
            for (Future<List<List<Prediction>>> answers : threads.invokeAll(
                    Stream.generate(() -> askAll).limit(THREADS).toList())) {
                assertThat(answers.get()).isEqualTo(expected);
            }
        }
        assertThat(expected).doesNotHaveDuplicates();
    }

    @Test
    void closingRefusesThreadsThatWaitForACopy() throws Exception {
        CountDownLatch asked = new CountDownLatch(3 * THREADS);
        NetworkPool pool = new NetworkPool(checkpoint, Device.cpu(), 1, 1);
        try (ExecutorService threads = Executors.newFixedThreadPool(THREADS)) {
            // One copy for all of them: at any time all but one wait.
            List<Future<Void>> asking = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                DecodedImage image = image(i);
                asking.add(threads.submit(() -> {
                    while (true) {
                        pool.predict(image, 1);
                        asked.countDown();
                    }
                }));
            }
            assertThat(asked.await(30, TimeUnit.SECONDS)).isTrue();

            pool.close();

            for (Future<Void> thread : asking) {
                assertThatThrownBy(() -> thread.get(30, TimeUnit.SECONDS))
                        .isInstanceOf(ExecutionException.class)
                        .cause()
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessageContaining("the pool is closed");
            }
        }
    }

    @Test
    void anInterruptedThreadIsToldSoAndThePoolStaysWhole() throws Exception {
        try (NetworkPool pool = new NetworkPool(checkpoint, Device.cpu(), 1, 1)) {
            Thread.currentThread().interrupt();

            assertThatThrownBy(() -> pool.predict(image(0), 1)).isInstanceOf(InterruptedException.class);
            assertThat(pool.predict(image(0), 1)).hasSize(1);
        }
    }

    @Test
    void closingTwiceIsAllowedAndAskingAfterwardsIsNot() throws Exception {
        NetworkPool pool = new NetworkPool(checkpoint, Device.cpu(), 1, 1);
        pool.close();
        pool.close();

        assertThatIllegalStateException()
                .isThrownBy(() -> pool.predict(image(0), 1))
                .withMessageContaining("closed");
    }

    @Test
    void noCopyAtAllIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new NetworkPool(checkpoint, Device.cpu(), 0, 1))
                .withMessage("number of copies 0 is not positive");
    }

    @Test
    void aMissingCheckpointIsNamed() {
        assertThatThrownBy(() -> new NetworkPool(folder.resolve("none.safetensors"), Device.cpu(), 1, 1))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("none.safetensors");
    }

    private static DecodedImage image(int seed) {
        byte[] rgb = new byte[SIZE * SIZE * 3];
        new Random(seed).nextBytes(rgb);
        return new DecodedImage(SIZE, SIZE, rgb);
    }
}
