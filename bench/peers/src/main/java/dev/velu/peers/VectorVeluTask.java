package dev.velu.peers;

import dev.velu.peers.vector.Team;
import dev.velu.peers.vector.VectorVelu;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Map;

/**
 * VeLU fused in Java with the Vector API, always of the same tensor, with the moments of its values. It takes {@code --add-modules
 * jdk.incubator.vector} and the option that {@link dev.velu.peers.vector.VeluRows} names.
 *
 * @param w2Weight weight of the Wasserstein-2 distance in what is differentiated
 * @param backward whether a run is forward and backward, or forward alone
 * @param tensors a safetensors file with {@code x} and, for backward, {@code dy}, F32 {@code [rows, channels]}
 */
public record VectorVeluTask(VeluConstants velu, float w2Weight, boolean backward, String tensors) implements Task {
    @Override
    public String load(int threads) {
        return "Vector API of Java " + Runtime.version().feature();
    }

    @Override
    public Work prepare(int threads) {
        return new Runs(this, threads);
    }

    private static final class Runs implements Work {
        private final VectorVeluTask task;
        private final Team team;
        private final VectorVelu velu;
        private final float[] x;
        private final float[] dy;
        private final float[] y;
        private final float[] dx;
        private Sample sample;

        Runs(VectorVeluTask task, int threads) {
            this.task = task;
            try (TensorFile file = new TensorFile(Path.of(task.tensors()))) {
                TensorFile.Entry entry = file.entry("x");
                x = values(file, entry);
                dy = task.backward() ? values(file, file.entry("dy")) : null;
                y = new float[x.length];
                dx = task.backward() ? new float[x.length] : null;
                team = new Team(threads);
                velu = new VectorVelu(
                        task.velu(), Math.toIntExact(entry.shape()[0]), Math.toIntExact(entry.shape()[1]), team);
            }
        }

        private static float[] values(TensorFile file, TensorFile.Entry entry) {
            try (Arena arena = Arena.ofConfined()) {
                ByteBuffer bytes = arena.allocate(entry.bytes(), Float.BYTES).asByteBuffer();
                file.read(entry, bytes);
                float[] values = new float[bytes.capacity() / Float.BYTES];
                bytes.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
                return values;
            }
        }

        @Override
        public void run() {
            VectorVelu.Moments moments = velu.forward(x, 1, y);
            double dlambda = 0;
            if (task.backward()) {
                dlambda = velu.backward(x, dy, 1, task.w2Weight(), moments, dx);
            }
            if (sample == null) {
                sample = task.backward()
                        ? new Sample(Sample.of(y), moments.w2(), Sample.of(dx), dlambda)
                        : new Sample(Sample.of(y), moments.w2(), null, null);
            }
        }

        @Override
        public Map<String, Object> results() {
            return sample.toMap();
        }

        @Override
        public void close() {
            team.close();
        }
    }
}
