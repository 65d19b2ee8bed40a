package dev.velu.peers;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.GradientCollector;
import java.nio.file.Path;
import java.util.Map;

/**
 * An activation function by libtorch, always of the same tensor: {@code velu} composed of elementary functions together with the
 * Wasserstein-2 distance of its values, or another one as {@link Libtorch#activation} has it.
 *
 * @param activation its label
 * @param velu constants, for {@code velu}; otherwise null
 * @param w2Weight weight of the Wasserstein-2 distance in what is differentiated, for {@code velu}
 * @param backward whether a run is forward and backward, or forward alone
 * @param tensors a safetensors file with {@code x} and, for backward, {@code dy}, F32 {@code [rows, channels]}
 */
public record ActivationTask(String activation, VeluConstants velu, float w2Weight, boolean backward, String tensors)
        implements Task {
    @Override
    public String load(int threads) {
        return Libtorch.load(threads);
    }

    @Override
    public Work prepare(int threads) {
        Libtorch torch = new Libtorch();
        try {
            return new Runs(this, torch);
        } catch (RuntimeException e) {
            torch.close();
            throw e;
        }
    }

    private static final class Runs implements Work {
        private final ActivationTask task;
        private final Libtorch torch;
        private final LibtorchVelu velu;
        private final NDArray x;
        private final NDArray dy;
        /** dy as a vector. */
        private final NDArray upstream;

        private final NDArray lambda;
        private Sample sample;

        Runs(ActivationTask task, Libtorch torch) {
            this.task = task;
            this.torch = torch;
            boolean isVelu = task.activation().equals("velu");
            if (isVelu != (task.velu() != null)) {
                throw new IllegalArgumentException("activation '" + task.activation()
                        + (isVelu ? "' needs" : "' does not take") + " the constants of VeLU");
            }
            velu = isVelu ? new LibtorchVelu(torch, task.velu()) : null;
            try (TensorFile file = new TensorFile(Path.of(task.tensors()))) {
                x = torch.tensor(file, file.entry("x"));
                dy = task.backward() ? torch.tensor(file, file.entry("dy")) : null;
                upstream = dy == null ? null : dy.reshape(-1);
            }
            lambda = torch.number(1);
        }

        @Override
        public void run() {
            try (NDManager run = torch.manager().newSubManager()) {
                if (task.backward()) {
                    differentiate(run);
                } else {
                    x.tempAttach(run);
                    LibtorchVelu.Output output = apply(x, lambda);
                    keep(output, null, null);
                }
            }
        }

        private LibtorchVelu.Output apply(NDArray input, NDArray factor) {
            return velu == null
                    ? new LibtorchVelu.Output(torch.activation(task.activation(), input), null)
                    : velu.apply(input, 1, factor);
        }

        private void differentiate(NDManager run) {
            NDArray leaf = Libtorch.leaf(x);
            NDArray factor = Libtorch.leaf(lambda);
            leaf.attach(run);
            factor.attach(run);
            try (GradientCollector gradients = torch.collectGradients()) {
                LibtorchVelu.Output output = apply(leaf, factor);
                if (velu == null) {
                    JniUtils.backward((PtNDArray) output.y(), (PtNDArray) dy, false, false);
                } else {
                    // DJL differentiates one tensor at a time. A scalar product is the cheapest way for dy to come in.
                    NDArray y = output.y().reshape(-1);
                    NDArray product = JniUtils.dot((PtNDArray) y, (PtNDArray) upstream);
                    gradients.backward(product.add(output.w2().mul(torch.number(task.w2Weight()))));
                }
                keep(output, leaf, factor);
            }
        }

        /** Keeps a sample of the first run; all others give the same. */
        private void keep(LibtorchVelu.Output output, NDArray leaf, NDArray factor) {
            if (sample != null) {
                return;
            }
            Double w2 = velu == null ? null : (double) output.w2().getFloat();
            float[] y = Sample.of(output.y().toFloatArray());
            if (leaf == null) {
                sample = new Sample(y, w2, null, null);
                return;
            }
            try (NDArray dx = leaf.getGradient()) {
                Double dlambda = null;
                if (velu != null) {
                    try (NDArray gradient = factor.getGradient()) {
                        dlambda = (double) gradient.getFloat();
                    }
                }
                sample = new Sample(y, w2, Sample.of(dx.toFloatArray()), dlambda);
            }
        }

        @Override
        public Map<String, Object> results() {
            return sample.toMap();
        }

        @Override
        public void close() {
            torch.close();
        }
    }
}
