package dev.velu.peers;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Map;

/**
 * Classification of always the same batch by ONNX Runtime, with its default options but the number of threads.
 *
 * @param model an ONNX file with the input {@code input} F32 {@code [N, 3, S, S]} and the output {@code logits}
 * @param tensors a safetensors file with {@code images}, F32 {@code [N, 3, S, S]}, normalized
 */
public record InferenceTask(String model, String tensors) implements Task {
    private static final String INPUT = "input";
    private static final String LOGITS = "logits";
    private static final String IMAGES = "images";

    @Override
    public String load(int threads) {
        return "ONNX Runtime " + OrtEnvironment.getEnvironment().getVersion();
    }

    @Override
    public Work prepare(int threads) {
        try {
            return new Session(this, threads);
        } catch (OrtException e) {
            throw new IllegalArgumentException("ONNX Runtime refuses " + model + ": " + e.getMessage(), e);
        }
    }

    private static final class Session implements Work {
        private final Arena arena = Arena.ofConfined();
        private final OrtSession.SessionOptions options;
        private final OrtSession session;
        private final OnnxTensor images;
        private float[][] logits;

        Session(InferenceTask task, int threads) throws OrtException {
            OrtEnvironment environment = OrtEnvironment.getEnvironment();
            options = new OrtSession.SessionOptions();
            options.setIntraOpNumThreads(threads);
            options.setInterOpNumThreads(1);
            session = environment.createSession(task.model(), options);
            try (TensorFile file = new TensorFile(Path.of(task.tensors()))) {
                TensorFile.Entry entry = file.entries().get(IMAGES);
                if (entry == null) {
                    throw new IllegalArgumentException(task.tensors() + " has no tensor " + IMAGES);
                }
                ByteBuffer bytes =
                        arena.allocate(entry.bytes(), Long.BYTES).asByteBuffer().order(ByteOrder.nativeOrder());
                file.read(entry, bytes);
                FloatBuffer values = bytes.asFloatBuffer();
                images = OnnxTensor.createTensor(environment, values, entry.shape());
            }
        }

        @Override
        public void run() {
            try (OrtSession.Result result = session.run(Map.of(INPUT, images))) {
                logits = (float[][]) result.get(LOGITS).orElseThrow().getValue();
            } catch (OrtException e) {
                throw new IllegalStateException("ONNX Runtime failed: " + e.getMessage(), e);
            }
        }

        /** {@code logits} of the first image. */
        @Override
        public Map<String, Object> results() {
            return Map.of("logits", logits[0]);
        }

        @Override
        public void close() {
            try {
                images.close();
                session.close();
                options.close();
            } catch (OrtException e) {
                throw new IllegalStateException("ONNX Runtime did not close: " + e.getMessage(), e);
            } finally {
                arena.close();
            }
        }
    }
}
