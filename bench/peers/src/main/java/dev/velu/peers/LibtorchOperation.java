package dev.velu.peers;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.GradientCollector;
import java.util.ArrayList;
import java.util.List;

/**
 * What libtorch does in place of one operation of ours. Where we fuse, these are several of its functions. Of a backward pass only
 * the backward is timed, by libtorch's automatic differentiation: the forward pass before it records what it needs.
 */
final class LibtorchOperation {
    private static final float LEARNING_RATE = 1e-4f;
    private static final float W2_WEIGHT = 0.1f;

    private final OperationTask task;
    private final Libtorch torch;
    private final NDManager manager;

    /** Something computed of given tensors. */
    @FunctionalInterface
    private interface Function {
        /** @return y and, for VeLU, the Wasserstein-2 distance */
        LibtorchVelu.Output of(List<NDArray> tensors);
    }

    LibtorchOperation(OperationTask task, Libtorch torch) {
        this.task = task;
        this.torch = torch;
        manager = torch.manager();
    }

    /** @throws IllegalArgumentException for an operation that libtorch has no counterpart of */
    Work work() {
        int n = task.inputs().size();
        return switch (task.operation()) {
            case "conv2d_forward" -> forward(conv(true), image(task.input(0)), filter(task.input(1)), bias(2));
            case "conv2d_backward_data" ->
                backward(conv(false), image(task.input(0)), 1, image(task.output(0)), filter(task.input(1)), null);
            case "conv2d_backward_weights" -> {
                NDArray x = image(task.input(0));
                NDArray weight = filter(task.output(0));
                yield task.output(1) == null
                        ? backwardOfSecond(conv(false), image(task.input(1)), x, weight, null)
                        : backwardOfSecond(conv(false), image(task.input(1)), x, weight, vector(task.output(1)));
            }
            case "linear_forward" -> forward(linear(true), tensor(task.input(0)), tensor(task.input(1)), bias(2));
            case "linear_backward_data" ->
                backward(linear(false), tensor(task.input(0)), 1, tensor(task.output(0)), tensor(task.input(1)), null);
            case "linear_backward_weights" ->
                backwardOfSecond(
                        linear(false),
                        tensor(task.input(1)),
                        tensor(task.input(0)),
                        tensor(task.output(0)),
                        task.output(1) == null ? null : vector(task.output(1)));
            case "scaled_linear_forward" ->
                forward(this::scaledConv, image(task.input(0)), pixel(task.input(1)), pointFilter(task.input(2)));
            case "scaled_linear_backward_data" ->
                backward(
                        this::scaledConv,
                        image(task.input(2)),
                        2,
                        image(task.input(0)),
                        pixel(task.input(1)),
                        pointFilter(task.input(3)));
            case "scaled_linear_backward_weights" -> {
                NDArray scaled = image(task.input(0)).mul(pixel(task.input(1)));
                yield backwardOfSecond(conv1x1(), image(task.input(2)), scaled, pointFilter(task.output(0)), null);
            }
            case "batch_norm_forward_training" -> {
                NDArray x = imageOrRows(task.input(0));
                yield forward(batchNorm(), x, ones(channels(0)), zeros(channels(0)), residual(3), lambda(4));
            }
            case "batch_norm_backward" -> {
                NDArray x = imageOrRows(task.input(0));
                yield backward(
                        batchNorm(),
                        imageOrRows(task.input(1)),
                        5,
                        x,
                        ones(channels(0)),
                        zeros(channels(0)),
                        residual(4),
                        lambda(5));
            }
            case "layer_norm_forward" ->
                forward(layerNorm(), tensor(task.input(0)), ones(channels(0)), zeros(channels(0)), optional(1));
            case "layer_norm_backward" ->
                backward(
                        layerNorm(),
                        tensor(task.input(1)),
                        3,
                        tensor(task.input(0)),
                        ones(channels(0)),
                        zeros(channels(0)),
                        null);
            case "activation_forward" -> forward(pointwise(), tensor(task.input(0)));
            case "activation_backward" -> backward(pointwise(), tensor(task.input(1)), 1, tensor(task.input(0)));
            case "velu_forward" -> forward(velu(), imageOrRows(task.input(0)), ones(new Shape()));
            case "velu_backward" ->
                backward(velu(), imageOrRows(task.input(1)), 2, imageOrRows(task.input(0)), ones(new Shape()));
            case "add_forward" ->
                forward(t -> only(t.get(0).add(t.get(1))), tensor(task.input(0)), tensor(task.input(1)));
            case "channel_scale_forward" -> forward(scale(), image(task.input(0)), pixel(task.input(1)));
            case "channel_scale_backward" ->
                backward(scale(), image(task.input(2)), 2, image(task.input(0)), pixel(task.input(1)));
            case "max_pool2d_forward", "avg_pool2d_forward", "adaptive_avg_pool2d_forward" ->
                forward(pool(), image(task.input(0)));
            case "max_pool2d_backward", "avg_pool2d_backward", "adaptive_avg_pool2d_backward" ->
                backward(pool(), image(task.input(0)), 1, image(task.output(0)));
            case "global_avg_pool_forward" -> forward(pool(), image(task.input(0)));
            case "global_avg_pool_backward" -> backward(pool(), pixel(task.input(0)), 1, image(task.output(0)));
            case "attention_forward" -> forward(attention(), tokens(task.input(0)));
            case "attention_backward" -> backward(attention(), tokens(task.input(2)), 1, tokens(task.input(0)));
            case "token_embedding_forward" ->
                forward(this::embed, tensor(task.input(0)), tensor(task.input(1)), tensor(task.input(2)));
            case "token_embedding_backward" -> {
                long channels = last(task.input(0));
                long tokens = task.input(0)[1];
                yield backward(
                        this::embed,
                        tensor(task.input(0)),
                        3,
                        tensor(task.input(0)[0], tokens - 1, channels),
                        tensor(channels),
                        tensor(tokens, channels));
            }
            case "dropout_forward" -> forward(dropout(0), tensor(task.input(0)));
            case "dropout_backward" -> backward(dropout(0), tensor(task.input(0)), 1, tensor(task.input(0)));
            case "softmax_cross_entropy_forward" -> forward(loss(), tensor(task.input(0)));
            case "softmax_cross_entropy_backward" -> backward(loss(), null, 1, tensor(task.input(0)));
            case "optimizer_step" -> optimizer();
            default ->
                throw new IllegalArgumentException("operation '" + task.operation() + "' with " + n
                        + " inputs has no counterpart in libtorch here");
        };
    }

    // ---- Functions

    private Function conv(boolean activated) {
        Shape stride = new Shape(task.number("stride_height"), task.number("stride_width"));
        Shape padding = new Shape(task.number("padding_height"), task.number("padding_width"));
        Shape dilation = new Shape(task.number("dilation_height"), task.number("dilation_width"));
        int groups = (int) task.number("groups");
        return t -> only(
                activate(activated, Libtorch.conv2d(t.get(0), t.get(1), t.get(2), stride, padding, dilation, groups)));
    }

    private static Function conv1x1() {
        Shape one = new Shape(1, 1);
        return t -> only(Libtorch.conv2d(t.get(0), t.get(1), null, one, new Shape(0, 0), one, 1));
    }

    private LibtorchVelu.Output scaledConv(List<NDArray> t) {
        Shape one = new Shape(1, 1);
        return only(Libtorch.conv2d(t.get(0).mul(t.get(1)), t.get(2), null, one, new Shape(0, 0), one, 1));
    }

    private Function linear(boolean activated) {
        return t -> only(activate(activated, Libtorch.linear(t.get(0), t.get(1), t.get(2))));
    }

    private NDArray activate(boolean activated, NDArray y) {
        String label = activated ? task.activation() : null;
        return label == null ? y : torch.activation(label, y);
    }

    /** Of x, weight, bias, residual or null, lambda or null. */
    private Function batchNorm() {
        NDArray mean = zeros(channels(0));
        NDArray variance = ones(channels(0));
        String label = task.activation();
        LibtorchVelu velu = velus();
        double momentum = task.real("momentum");
        double eps = task.real("eps");
        return t -> {
            NDArray y = Libtorch.batchNorm(t.get(0), t.get(1), t.get(2), mean, variance, momentum, eps);
            y = t.get(3) == null ? y : y.add(t.get(3));
            if (velu != null) {
                return velu.apply(y, 1, t.get(4));
            }
            return only(label == null ? y : torch.activation(label, y));
        };
    }

    /** Of x, weight, bias, residual or null. */
    private Function layerNorm() {
        double eps = task.real("eps");
        return t -> {
            NDArray z = t.get(3) == null ? t.get(0) : t.get(0).add(t.get(3));
            return only(Libtorch.layerNorm(z, t.get(1), t.get(2), eps));
        };
    }

    private Function pointwise() {
        return t -> only(torch.activation(task.activation(), t.get(0)));
    }

    private Function velu() {
        LibtorchVelu velu = velus();
        return t -> velu.apply(t.get(0), 1, t.get(1));
    }

    private LibtorchVelu velus() {
        return task.velu() == null ? null : new LibtorchVelu(torch, task.velu());
    }

    private static Function scale() {
        return t -> only(t.get(0).mul(t.get(1)));
    }

    private Function pool() {
        String kind = task.operation().replaceFirst("_(forward|backward)$", "");
        if (kind.equals("global_avg_pool")) {
            return t -> only(Libtorch.adaptiveAvgPool2d(t.get(0), new Shape(1, 1)));
        }
        if (kind.equals("adaptive_avg_pool2d")) {
            Shape size = new Shape(task.number("out_height"), task.number("out_width"));
            return t -> only(Libtorch.adaptiveAvgPool2d(t.get(0), size));
        }
        Shape kernel = new Shape(task.number("kernel_height"), task.number("kernel_width"));
        Shape stride = new Shape(task.number("stride_height"), task.number("stride_width"));
        Shape padding = new Shape(task.number("padding_height"), task.number("padding_width"));
        return kind.equals("max_pool2d")
                ? t -> only(Libtorch.maxPool2d(t.get(0), kernel, stride, padding))
                : t -> only(Libtorch.avgPool2d(t.get(0), kernel, stride, padding));
    }

    private Function attention() {
        int heads = (int) task.number("heads");
        double scale = Math.sqrt(3.0 * heads / last(task.input(0)));
        return t -> only(torch.attention(t.get(0), heads, scale));
    }

    /** Of patches, class token, positions. */
    private LibtorchVelu.Output embed(List<NDArray> t) {
        NDArray x = t.get(0);
        NDArray token = t.get(1)
                .reshape(1, 1, -1)
                .broadcast(x.getShape().get(0), 1, x.getShape().get(2));
        return only(Libtorch.cat(1, token, x)
                .add(t.get(2).reshape(1, -1, x.getShape().get(2))));
    }

    private Function dropout(int x) {
        double probability = task.real("probability");
        if ("row".equals(task.attributes().path("mode").asText())) {
            long[] shape = task.input(x).clone();
            for (int axis = 1; axis < shape.length; axis++) {
                shape[axis] = 1;
            }
            NDArray rows = ones(new Shape(shape));
            return t -> only(t.get(0).mul(Libtorch.dropout(rows, probability)));
        }
        return t -> only(Libtorch.dropout(t.get(0), probability));
    }

    private Function loss() {
        int rows = (int) task.input(0)[0];
        NDArray target = torch.target(new int[rows], (int) last(task.input(0)));
        return t -> only(Libtorch.crossEntropy(t.get(0), target));
    }

    private Work optimizer() {
        long[] count = task.input(3);
        NDArray parameters = tensor(count);
        NDArray gradient = tensor(count);
        NDArray first = zeros(new Shape(count));
        if (!task.has(6)) {
            return new Timed(
                    torch,
                    () -> JniUtils.sgdUpdate(
                            (PtNDArray) parameters,
                            (PtNDArray) gradient,
                            (PtNDArray) first,
                            LEARNING_RATE,
                            0,
                            1,
                            -1,
                            0.9f));
        }
        NDArray second = zeros(new Shape(count));
        return new Timed(
                torch,
                () -> JniUtils.adamUpdate(
                        (PtNDArray) parameters,
                        (PtNDArray) gradient,
                        (PtNDArray) first,
                        (PtNDArray) second,
                        LEARNING_RATE,
                        LEARNING_RATE,
                        0,
                        1,
                        -1,
                        0.9f,
                        0.999f,
                        1e-8f,
                        false));
    }

    private static LibtorchVelu.Output only(NDArray y) {
        return new LibtorchVelu.Output(y, null);
    }

    // ---- Tensors

    private NDArray tensor(long... shape) {
        return manager.randomNormal(new Shape(shape));
    }

    private NDArray vector(long[] shape) {
        return tensor(shape);
    }

    private NDArray optional(int input) {
        return task.has(input) ? tensor(task.input(input)) : null;
    }

    private NDArray bias(int input) {
        return optional(input);
    }

    private NDArray residual(int input) {
        return task.has(input) ? imageOrRows(task.input(input)) : null;
    }

    private NDArray lambda(int input) {
        return task.has(input) ? ones(new Shape()) : null;
    }

    private NDArray ones(Shape shape) {
        return manager.ones(shape);
    }

    private NDArray zeros(Shape shape) {
        return manager.zeros(shape);
    }

    private Shape channels(int input) {
        return new Shape(last(task.input(input)));
    }

    private static long last(long[] shape) {
        return shape[shape.length - 1];
    }

    /** {@code [N, H, W, C]} as {@code [N, C, H, W]}; {@code [N, P, C]} as {@code [N, C, P, 1]}. */
    private NDArray image(long[] shape) {
        return switch (shape.length) {
            case 4 -> tensor(shape[0], shape[3], shape[1], shape[2]);
            case 3 -> tensor(shape[0], shape[2], shape[1], 1);
            default -> throw new IllegalArgumentException(task + ": a shape of " + shape.length + " axes is no image");
        };
    }

    private NDArray imageOrRows(long[] shape) {
        return shape.length > 2 ? image(shape) : tensor(shape);
    }

    /** {@code [O, kh, kw, I]} as {@code [O, I, kh, kw]}. */
    private NDArray filter(long[] shape) {
        return tensor(shape[0], shape[3], shape[1], shape[2]);
    }

    /** The weight of a linear layer over channels as one of a 1 x 1 convolution. */
    private NDArray pointFilter(long[] shape) {
        return tensor(shape[0], last(shape), 1, 1);
    }

    /** One value for each channel of each image. */
    private NDArray pixel(long[] shape) {
        return tensor(shape[0], last(shape), 1, 1);
    }

    /** {@code [N, T, ...]} as {@code [N, T, all others]}. */
    private NDArray tokens(long[] shape) {
        long width = 1;
        for (int axis = 2; axis < shape.length; axis++) {
            width *= shape[axis];
        }
        return tensor(shape[0], shape[1], width);
    }

    // ---- Work

    private Work forward(Function function, NDArray... tensors) {
        List<NDArray> arguments = list(tensors);
        return new Timed(torch, () -> {
            try (NDManager run = manager.newSubManager()) {
                arguments.forEach(tensor -> attach(tensor, run));
                function.of(arguments);
            }
        });
    }

    private static void attach(NDArray tensor, NDManager run) {
        if (tensor != null) {
            tensor.tempAttach(run);
        }
    }

    /** Gradients of the first arguments. */
    private Work backward(Function function, NDArray dy, int wanted, NDArray... tensors) {
        return new Backward(torch, function, dy, list(tensors), 0, wanted);
    }

    /** Gradients of the second argument, a weight, and of the third, a bias or null. */
    private Work backwardOfSecond(Function function, NDArray dy, NDArray... tensors) {
        return new Backward(torch, function, dy, list(tensors), 1, 3);
    }

    private static List<NDArray> list(NDArray... tensors) {
        List<NDArray> list = new ArrayList<>();
        for (NDArray tensor : tensors) {
            list.add(tensor);
        }
        while (list.size() < 3) {
            list.add(null);
        }
        return list;
    }

    /** All of it is timed. */
    private record Timed(Libtorch torch, Runnable action) implements Work {
        @Override
        public void run() {
            action.run();
        }

        @Override
        public void close() {
            torch.close();
        }
    }

    /**
     * Gradients of some of the arguments of a function.
     *
     * @param dy null where y is a scalar
     * @param from first argument whose gradient is wanted
     * @param to end of them
     */
    private record Backward(Libtorch torch, Function function, NDArray dy, List<NDArray> tensors, int from, int to)
            implements Work {
        @Override
        public void run() {
            time();
        }

        @Override
        public double time() {
            try (NDManager run = torch.manager().newSubManager()) {
                List<NDArray> arguments = new ArrayList<>(tensors);
                for (int i = from; i < Math.min(to, arguments.size()); i++) {
                    if (arguments.get(i) != null) {
                        NDArray leaf = Libtorch.leaf(arguments.get(i));
                        leaf.attach(run);
                        arguments.set(i, leaf);
                    }
                }
                arguments.forEach(argument -> attach(argument, run));
                try (GradientCollector gradients = torch.collectGradients()) {
                    LibtorchVelu.Output output = function.of(arguments);
                    NDArray y = output.y();
                    if (output.w2() != null) {
                        NDArray product = JniUtils.dot((PtNDArray) y.reshape(-1), (PtNDArray) dy.reshape(-1));
                        y = product.add(output.w2().mul(torch.number(W2_WEIGHT)));
                    }
                    long begin = System.nanoTime();
                    if (output.w2() != null || dy == null) {
                        gradients.backward(y);
                    } else {
                        JniUtils.backward((PtNDArray) y, (PtNDArray) dy, false, false);
                    }
                    return (System.nanoTime() - begin) / 1e6;
                }
            }
        }

        @Override
        public void close() {
            torch.close();
        }
    }
}
