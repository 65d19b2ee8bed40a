package dev.velu.peers;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.GradientCollector;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Steps of training by libtorch in float32: forward, cross-entropy, backward, SGD with momentum, and the loss read back. Always the
 * same batch.
 *
 * @param network one of torchvision's, as on the command line, e.g. {@code resnet50}
 * @param activation label of the function at all activation sites, e.g. {@code relu}
 * @param velu constants, for the activation {@code velu}; otherwise null
 * @param tensors a safetensors file, F32: the network's parameters and buffers under torchvision's names, and {@code images}
 *     {@code [N, 3, S, S]}, normalized
 * @param labels a class for every image
 * @param channelsLast whether images and weights lie in memory with their channels beside each other, which libtorch then keeps up;
 *     DJL has no name for it
 * @param w2Weight weight of the Wasserstein-2 term of every VeLU site in the loss
 */
public record TrainingTask(
        String network,
        String activation,
        VeluConstants velu,
        String tensors,
        int[] labels,
        boolean channelsLast,
        float w2Weight,
        float learningRate,
        float momentum,
        float weightDecay)
        implements Task {
    private static final String IMAGES = "images";

    @Override
    public String load(int threads) {
        return Libtorch.load(threads) + (channelsLast ? ", channels_last" : "");
    }

    @Override
    public Work prepare(int threads) {
        Libtorch torch = new Libtorch();
        try {
            return new Steps(this, torch);
        } catch (RuntimeException e) {
            torch.close();
            throw e;
        }
    }

    private static final class Steps implements Work {
        private final TrainingTask task;
        private final Libtorch torch;
        private final LibtorchNetwork network;
        private final Map<String, NDArray> tensors = new HashMap<>();
        private final Map<String, NDArray> velocities = new LinkedHashMap<>();
        private final NDArray images;
        private NDArray target;
        private float loss;
        private float w2;

        Steps(TrainingTask task, Libtorch torch) {
            this.task = task;
            this.torch = torch;
            network = new LibtorchNetwork(torch, task.network(), task.activation(), task.velu());
            try (TensorFile file = new TensorFile(Path.of(task.tensors()))) {
                file.entries().forEach((name, entry) -> {
                    if (entry.dtype().equals("F32")) {
                        NDArray tensor = torch.tensor(file, entry);
                        tensors.put(name, task.channelsLast() ? Libtorch.channelsLast(tensor) : tensor);
                    }
                });
            }
            images = tensors.remove(IMAGES);
            if (images == null) {
                throw new IllegalArgumentException(task.tensors() + " has no tensor " + IMAGES);
            }
            if (images.getShape().get(0) != task.labels().length) {
                throw new IllegalArgumentException(task.labels().length + " labels do not fit "
                        + images.getShape().get(0) + " images");
            }
            tensors.forEach((name, tensor) -> {
                if (!name.contains(".running_")) {
                    velocities.put(name, tensor.zerosLike());
                }
            });
        }

        @Override
        public void run() {
            try (NDManager step = torch.manager().newSubManager()) {
                // A leaf without a gradient takes the gradient over as it is; one with a gradient would be set to zero
                // and added to.
                Map<String, NDArray> leaves = new HashMap<>(tensors);
                velocities.keySet().forEach(name -> {
                    NDArray leaf = Libtorch.leaf(tensors.get(name));
                    leaf.attach(step);
                    leaves.put(name, leaf);
                });
                try (GradientCollector gradients = torch.collectGradients()) {
                    LibtorchNetwork.Output output = network.forward(images, leaves, step);
                    if (target == null) {
                        target = torch.target(
                                task.labels(),
                                Math.toIntExact(output.logits().getShape().get(1)));
                    }
                    NDArray crossEntropy = Libtorch.crossEntropy(output.logits(), target);
                    NDArray total = output.w2() == null
                            ? crossEntropy
                            : crossEntropy.add(output.w2().mul(torch.number(task.w2Weight())));
                    gradients.backward(total);
                    loss = crossEntropy.getFloat();
                    w2 = output.w2() == null ? 0 : output.w2().getFloat();
                }
                velocities.forEach((name, velocity) -> update(leaves.get(name), velocity));
            }
        }

        private void update(NDArray leaf, NDArray velocity) {
            try (NDArray gradient = leaf.getGradient()) {
                JniUtils.sgdUpdate(
                        (PtNDArray) leaf,
                        (PtNDArray) gradient,
                        (PtNDArray) velocity,
                        task.learningRate(),
                        task.weightDecay(),
                        1,
                        -1,
                        task.momentum());
            }
        }

        /** {@code loss}: cross-entropy of the last step, {@code w2}: its Wasserstein-2 distances summed, both before the update. */
        @Override
        public Map<String, Object> results() {
            return Map.of("loss", loss, "w2", w2);
        }

        @Override
        public void close() {
            torch.close();
        }
    }
}
