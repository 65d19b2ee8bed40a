package dev.velu.examples;

import dev.velu.device.Device;
import dev.velu.trainer.data.DecodedImage;
import dev.velu.trainer.data.ImageLoader;
import dev.velu.trainer.run.NetworkPool;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Stream;

/** Answers from several threads at once, as a service would: two copies of the network, a virtual thread for every image. */
public final class ServePredictions {
    private ServePredictions() {}

    /** @param args a checkpoint, then images */
    public static void main(String[] args) throws Exception {
        try (NetworkPool pool = new NetworkPool(Path.of(args[0]), Device.cpu(), 2, 1);
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            threads.invokeAll(
                    Stream.of(args).skip(1).map(image -> answer(pool, image)).toList());
        }
    }

    private static Callable<Void> answer(NetworkPool pool, String file) {
        return () -> {
            DecodedImage image = ImageLoader.read(Path.of(file));
            System.out.println(file + ": " + pool.predict(image, 1).getFirst().className());
            return null;
        };
    }
}
