package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_batch_norm_desc;
import dev.velu.device.Context;
import dev.velu.graph.Binding;
import dev.velu.graph.Gradients;
import dev.velu.graph.Graph;
import dev.velu.graph.NativeCall;
import dev.velu.graph.Node;
import dev.velu.graph.Operation;
import dev.velu.graph.Packing;
import dev.velu.graph.Value;
import dev.velu.onnx.Attribute;
import dev.velu.onnx.OnnxGraph;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;

/**
 * Batch normalization with the residual sum and the activation that follow it: {@code y = f(weight (x - mean) /
 * sqrt(var + eps) + bias + residual)} (Ioffe and Szegedy, 2015). x, residual and y are {@code [N, H, W, C]} or {@code
 * [N, C]} of one type; the statistics are per channel over all other axes. weight, bias, runningMean and runningVar are
 * {@code [C]} F32, numBatchesTracked is an I64 scalar, lambda an F32 scalar, moments F32 {@code [3]} as in {@link
 * Velu}.
 *
 * <p>In training the batch's own statistics normalize, and the running ones follow by torch's rule {@code running = (1
 * - momentum) running + momentum batch} with the unbiased variance. Training needs at least two values per channel.
 *
 * @param eps added to the variance, positive
 * @param momentum in [0, 1]
 * @param activation f, or null for none
 * @param w2Weight weight of the W2 term in the loss, as in {@link Velu}; only with VeLU
 */
public record BatchNorm(float eps, float momentum, ActivationFunction activation, float w2Weight) {
    /** What a recorded training forward gives. moments is null if they were not asked for. */
    public record Output(Value y, Value savedMean, Value savedInvStd, Value moments) {}

    /**
     * Checks the constants.
     *
     * @throws IllegalArgumentException if eps is not positive and finite, momentum is outside [0, 1], or the weight of
     *     W2 is not finite
     */
    public BatchNorm {
        if (!(eps > 0 && Float.isFinite(eps))) {
            throw new IllegalArgumentException("batch norm eps " + eps + " is not positive and finite");
        }
        if (!(momentum >= 0 && momentum <= 1)) {
            throw new IllegalArgumentException("batch norm momentum " + momentum + " is outside [0, 1]");
        }
        Velu.requireFinite(w2Weight);
        if (w2Weight != 0 && !(activation instanceof VeluParameters)) {
            throw new IllegalArgumentException(
                    "the weight " + w2Weight + " of the W2 term needs the activation VeLU, not "
                            + (activation == null ? "none" : activation.label()));
        }
    }

    /** Without an activation. */
    public static BatchNorm of(float eps, float momentum) {
        return new BatchNorm(eps, momentum, null, 0);
    }

    /** torch's constants, eps 1e-5 and momentum 0.1, without an activation. */
    public static BatchNorm defaults() {
        return of(1e-5f, 0.1f);
    }

    /** The same normalization followed by an activation. */
    public BatchNorm with(ActivationFunction function, float functionW2Weight) {
        return new BatchNorm(eps, momentum, function, functionW2Weight);
    }

    /**
     * Records the training forward, with moments if the activation is VeLU. residual, lambda and numBatchesTracked may
     * be null, runningMean and runningVar together.
     */
    public Output applyTraining(
            Graph graph,
            Value x,
            Value weight,
            Value bias,
            Value residual,
            Value lambda,
            Value runningMean,
            Value runningVar,
            Value numBatchesTracked) {
        List<Value> outputs = graph.apply(
                new ForwardTraining(this, isVelu()),
                x,
                weight,
                bias,
                residual,
                lambda,
                runningMean,
                runningVar,
                numBatchesTracked);
        return new Output(outputs.get(0), outputs.get(1), outputs.get(2), outputs.get(3));
    }

    /** Records the training forward without residual and lambda; its y. */
    public Value applyTraining(
            Graph graph,
            Value x,
            Value weight,
            Value bias,
            Value runningMean,
            Value runningVar,
            Value numBatchesTracked) {
        return applyTraining(graph, x, weight, bias, null, null, runningMean, runningVar, numBatchesTracked)
                .y();
    }

    /** Records the inference forward without moments; its y. residual and lambda may be null. */
    public Value applyInference(
            Graph graph,
            Value x,
            Value weight,
            Value bias,
            Value residual,
            Value lambda,
            Value runningMean,
            Value runningVar) {
        return graph.apply(
                        new ForwardInference(this, false), x, weight, bias, residual, lambda, runningMean, runningVar)
                .getFirst();
    }

    /** Records the inference forward without residual and lambda; its y. */
    public Value applyInference(Graph graph, Value x, Value weight, Value bias, Value runningMean, Value runningVar) {
        return applyInference(graph, x, weight, bias, null, null, runningMean, runningVar);
    }

    /**
     * The training forward, at once; the running tensors are updated. residual, lambda, numBatchesTracked and moments
     * may be null, runningMean and runningVar together; y may be residual, not x.
     */
    public void forwardTraining(
            Context context,
            Tensor x,
            Tensor weight,
            Tensor bias,
            Tensor residual,
            Tensor lambda,
            Tensor runningMean,
            Tensor runningVar,
            Tensor numBatchesTracked,
            Tensor y,
            Tensor savedMean,
            Tensor savedInvStd,
            Tensor moments) {
        Eager.run(
                context,
                new ForwardTraining(this, moments != null),
                Arrays.asList(x, weight, bias, residual, lambda, runningMean, runningVar, numBatchesTracked),
                Arrays.asList(y, savedMean, savedInvStd, moments));
    }

    /** The inference forward, at once. residual, lambda and moments may be null; y may be x or residual. */
    public void forwardInference(
            Context context,
            Tensor x,
            Tensor weight,
            Tensor bias,
            Tensor residual,
            Tensor lambda,
            Tensor runningMean,
            Tensor runningVar,
            Tensor y,
            Tensor moments) {
        Eager.run(
                context,
                new ForwardInference(this, moments != null),
                Arrays.asList(x, weight, bias, residual, lambda, runningMean, runningVar),
                Arrays.asList(y, moments));
    }

    /**
     * Gradient of the training forward, at once. residual and dresidual come together or not at all; lambda and dlambda
     * may be null, moments (from forward) only if the weight of W2 is 0. dx may be dy, or else dresidual may.
     */
    public void backward(
            Context context,
            Tensor x,
            Tensor dy,
            Tensor weight,
            Tensor bias,
            Tensor residual,
            Tensor lambda,
            Tensor savedMean,
            Tensor savedInvStd,
            Tensor moments,
            Tensor dx,
            Tensor dresidual,
            Tensor dweight,
            Tensor dbias,
            Tensor dlambda) {
        Eager.run(
                context,
                new Backward(this, dlambda != null),
                Arrays.asList(x, dy, weight, bias, residual, lambda, savedMean, savedInvStd, moments, null),
                Arrays.asList(dx, dresidual, dweight, dbias, dlambda));
    }

    private boolean isVelu() {
        return activation instanceof VeluParameters;
    }

    private void requireVeluFor(boolean moments) {
        if (moments && !isVelu()) {
            throw new IllegalArgumentException(
                    "moments are of VeLU; the activation is " + (activation == null ? "none" : activation.label()));
        }
    }

    /** Checks x and what else every verb reads: weight, bias, residual and lambda at consecutive positions. */
    private TensorType infer(String operation, List<TensorType> inputs, int weightIndex, long minRows) {
        TensorType x = Types.floating(operation, inputs, 0, "x", -1);
        int rank = x.shape().rank();
        if (rank != 2 && rank != 4) {
            throw new IllegalArgumentException(
                    operation + ": x has shape " + x.shape() + ", expected [N, H, W, C] or [N, C]");
        }
        long channels = x.shape().size(-1);
        if (channels == 0) {
            throw new IllegalArgumentException(
                    operation + ": x has shape " + x.shape() + ", expected at least one channel");
        }
        if (x.shape().elements() / channels < minRows) {
            throw new IllegalArgumentException(
                    operation + ": x " + x.shape() + " has " + x.shape().elements() / channels
                            + " values per channel, expected at least " + minRows
                            + (minRows == 2 ? "; give a larger batch in training" : ""));
        }
        Types.exactly(operation, inputs, weightIndex, "weight", DType.F32, channels);
        Types.exactly(operation, inputs, weightIndex + 1, "bias", DType.F32, channels);
        Types.optionalLike(operation, inputs, weightIndex + 2, "residual", x);
        if (inputs.get(weightIndex + 3) != null && !isVelu()) {
            throw new IllegalArgumentException(operation + ": lambda is given, but the activation is "
                    + (activation == null ? "none" : activation.label()) + "; lambda is VeLU's");
        }
        Types.optional(operation, inputs, weightIndex + 3, "lambda", DType.F32);
        return x;
    }

    private MemorySegment desc(Binding b) {
        TensorType x = b.inputType(0);
        long channels = x.shape().size(-1);
        MemorySegment desc = velu_batch_norm_desc.allocate(b.arena());
        velu_batch_norm_desc.device(desc, b.device());
        velu_batch_norm_desc.dtype(desc, x.dtype().code());
        velu_batch_norm_desc.rows(desc, x.shape().elements() / channels);
        velu_batch_norm_desc.x_pitch(desc, x.pitch());
        velu_batch_norm_desc.channels(desc, channels);
        velu_batch_norm_desc.eps(desc, eps);
        velu_batch_norm_desc.momentum(desc, momentum);
        velu_batch_norm_desc.activation(
                desc, activation == null ? VeluNative.VELU_ACTIVATION_IDENTITY() : activation.code());
        if (activation instanceof VeluParameters params) {
            velu_batch_norm_desc.w2_weight(desc, w2Weight);
            params.write(velu_batch_norm_desc.params(desc));
        }
        return desc;
    }

    /**
     * Records what inference makes of the statistics of a node that is a batch norm of x and nothing more: scale and shift, see
     * {@link Fold}. Null if it is another operation.
     */
    static List<Value> fold(Value x, Node node, Packing packing) {
        boolean folds = node != null
                && node.operation() instanceof ForwardInference inference
                && inference.norm().activation == null
                && node.input(0) == x
                && node.input(3) == null;
        return folds
                ? packing.prepare(
                        new Fold(((ForwardInference) node.operation()).norm()),
                        node.input(1),
                        node.input(2),
                        node.input(5),
                        node.input(6))
                : null;
    }

    /** scale and shift of the inference forward, {@code y = f(scale x + shift + residual)}, at once. */
    public void fold(
            Context context,
            Tensor weight,
            Tensor bias,
            Tensor runningMean,
            Tensor runningVar,
            Tensor scale,
            Tensor shift) {
        Eager.run(context, new Fold(this), List.of(weight, bias, runningMean, runningVar), List.of(scale, shift));
    }

    /** A batch norm joined with what follows it. */
    private record Joined(BatchNorm norm, boolean moments, Value residual, Value lambda, Value y, Value momentsValue) {}

    /**
     * Joins a node of a forward verb, with residual and lambda at inputs 3 and 4, with the next node; null if they do
     * not join.
     */
    private Joined join(Node self, Node next) {
        if (activation != null) {
            return null;
        }
        Value y = self.output(0);
        Value residual = self.input(3);
        return switch (next.operation()) {
            case Add.Forward add -> {
                Value other = next.input(0) == y ? next.input(1) : next.input(0);
                yield residual != null || other == y
                        ? null
                        : new Joined(this, false, other, null, next.output(0), null);
            }
            case Activation.Forward pointwise ->
                pointwise.function() == Pointwise.SIGMOID
                        ? null
                        : new Joined(with(pointwise.function(), 0), false, residual, null, next.output(0), null);
            case Velu.Forward velu ->
                new Joined(
                        with(velu.velu().params(), velu.velu().w2Weight()),
                        velu.moments(),
                        residual,
                        next.input(1),
                        next.output(0),
                        next.output(1));
            default -> null;
        };
    }

    /** The inputs of a forward verb with another residual and lambda. */
    private static List<Value> joinedInputs(Node self, Joined joined) {
        Value[] inputs = self.inputs().toArray(Value[]::new);
        inputs[3] = joined.residual();
        inputs[4] = joined.lambda();
        return Arrays.asList(inputs);
    }

    /**
     * Inputs x, weight, bias, residual or null, lambda or null, runningMean, runningVar, numBatchesTracked (the last
     * three are updated; or null); outputs y, savedMean, savedInvStd, moments or null.
     */
    record ForwardTraining(BatchNorm norm, boolean moments) implements Operation {
        ForwardTraining {
            norm.requireVeluFor(moments);
        }

        @Override
        public String name() {
            return "batch_norm_forward_training";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = norm.infer(name(), inputs, 1, 2);
            long channels = x.shape().size(-1);
            Types.optional(name(), inputs, 5, "runningMean", DType.F32, channels);
            Types.optional(name(), inputs, 6, "runningVar", DType.F32, channels);
            Types.optional(name(), inputs, 7, "numBatchesTracked", DType.I64);
            if ((inputs.get(5) == null) != (inputs.get(6) == null)) {
                throw new IllegalArgumentException(
                        name() + ": one of runningMean and runningVar is missing; give both or none");
            }
            TensorType statistics = TensorType.f32(channels);
            return Collections.unmodifiableList(
                    Arrays.asList(x, statistics, statistics, moments ? Velu.MOMENTS : null));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = norm.desc(b);
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment weight = b.input(1);
            MemorySegment bias = b.input(2);
            MemorySegment residual = b.input(3);
            MemorySegment lambda = b.input(4);
            MemorySegment runningMean = b.updated(5);
            MemorySegment runningVar = b.updated(6);
            MemorySegment numBatchesTracked = b.updated(7);
            MemorySegment y = b.output(0);
            MemorySegment savedMean = b.output(1);
            MemorySegment savedInvStd = b.output(2);
            MemorySegment stored = b.output(3);
            return () -> VeluNative.velu_batch_norm_forward_training(
                    context,
                    desc,
                    x,
                    weight,
                    bias,
                    residual,
                    lambda,
                    runningMean,
                    runningVar,
                    numBatchesTracked,
                    y,
                    savedMean,
                    savedInvStd,
                    stored);
        }

        @Override
        public boolean readsPitched(int input) {
            return input == 0;
        }

        /** The statistics take one pass over x, applying them a second. */
        @Override
        public long bytes(List<TensorType> inputs, List<TensorType> outputs) {
            return Operation.super.bytes(inputs, outputs) + Operation.bytes(inputs.get(0));
        }

        @Override
        public List<Alias> inPlace() {
            return List.of(new Alias(3, 0));
        }

        @Override
        public Fused fuse(Node self, Node next, boolean differentiated) {
            Joined joined = norm.join(self, next);
            return joined == null
                    ? null
                    : new Fused(
                            new ForwardTraining(joined.norm(), joined.moments()),
                            joinedInputs(self, joined),
                            Arrays.asList(joined.y(), self.output(1), self.output(2), joined.momentsValue()));
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value dy = gradients.of(node.output(0));
            if (dy == null) {
                return;
            }
            Value x = node.input(0);
            Value weight = node.input(1);
            Value bias = node.input(2);
            Value residual = node.input(3);
            Value lambda = node.input(4);
            Value stored = norm.w2Weight == 0 ? null : node.output(3);
            List<Value> d = gradients
                    .graph()
                    .apply(
                            new Backward(norm, gradients.wanted(lambda)),
                            x,
                            dy,
                            weight,
                            bias,
                            residual,
                            lambda,
                            node.output(1),
                            node.output(2),
                            stored,
                            gradients.take(x));
            gradients.add(x, d.get(0));
            if (residual != null) {
                gradients.add(residual, d.get(1));
            }
            gradients.add(weight, d.get(2));
            gradients.add(bias, d.get(3));
            if (d.get(4) != null) {
                gradients.add(lambda, d.get(4));
            }
        }
    }

    /**
     * Inputs x, weight, bias, residual or null, lambda or null, runningMean, runningVar; outputs y, moments or null. It
     * has a gradient by x alone, and only where nothing is joined with it.
     */
    record ForwardInference(BatchNorm norm, boolean moments) implements Operation {
        ForwardInference {
            norm.requireVeluFor(moments);
        }

        @Override
        public String name() {
            return "batch_norm_forward_inference";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = norm.infer(name(), inputs, 1, 1);
            Types.exactly(name(), inputs, 5, "runningMean", DType.F32, x.shape().size(-1));
            Types.exactly(name(), inputs, 6, "runningVar", DType.F32, x.shape().size(-1));
            return Collections.unmodifiableList(Arrays.asList(x, moments ? Velu.MOMENTS : null));
        }

        @Override
        public void toOnnx(Node node, OnnxGraph onnx) {
            if (norm.activation != null || node.input(3) != null) {
                Operation.super.toOnnx(node, onnx); // joined with what follows
            }
            List<String> inputs = Stream.of(0, 1, 2, 5, 6)
                    .map(input -> onnx.name(node.input(input)))
                    .toList();
            onnx.define(
                    node.output(0), onnx.node("BatchNormalization", inputs, new Attribute.Float("epsilon", norm.eps)));
        }

        /** dx = scale dy, scale being what {@link Fold} makes of the statistics. */
        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value x = node.input(0);
            if (norm.activation != null
                    || node.input(3) != null
                    || gradients.wanted(node.input(1))
                    || gradients.wanted(node.input(2))) {
                throw new IllegalStateException(
                        name() + " has a gradient by x alone; record it for training to train its weight and bias");
            }
            Graph graph = gradients.graph();
            Value scale = graph.apply(new Fold(norm), node.input(1), node.input(2), node.input(5), node.input(6))
                    .getFirst();
            Shape shape = x.type().shape();
            long channels = shape.size(-1);
            Value dy = new Reshape(Shape.of(1, shape.elements() / channels, 1, channels))
                    .apply(graph, gradients.of(node.output(0)));
            Value factors = new Reshape(Shape.of(1, 1, 1, channels))
                    .apply(graph, new Cast(x.type().dtype()).apply(graph, scale));
            gradients.add(x, new Reshape(shape).apply(graph, new ChannelScale().apply(graph, dy, factors)));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = norm.desc(b);
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment weight = b.input(1);
            MemorySegment bias = b.input(2);
            MemorySegment residual = b.input(3);
            MemorySegment lambda = b.input(4);
            MemorySegment runningMean = b.input(5);
            MemorySegment runningVar = b.input(6);
            MemorySegment y = b.output(0);
            MemorySegment stored = b.output(1);
            return () -> VeluNative.velu_batch_norm_forward_inference(
                    context, desc, x, weight, bias, residual, lambda, runningMean, runningVar, y, stored);
        }

        @Override
        public boolean readsPitched(int input) {
            return input == 0;
        }

        @Override
        public List<Alias> inPlace() {
            return List.of(new Alias(0, 0), new Alias(3, 0));
        }

        @Override
        public Fused fuse(Node self, Node next, boolean differentiated) {
            Joined joined = differentiated ? null : norm.join(self, next);
            return joined == null
                    ? null
                    : new Fused(
                            new ForwardInference(joined.norm(), joined.moments()),
                            joinedInputs(self, joined),
                            Arrays.asList(joined.y(), joined.momentsValue()));
        }
    }

    /**
     * Inputs weight, bias, runningMean, runningVar; outputs scale {@code weight / sqrt(runningVar + eps)} and shift {@code bias -
     * scale runningMean}, with which the inference forward is {@code f(scale x + shift + residual)}.
     */
    record Fold(BatchNorm norm) implements Operation {
        @Override
        public String name() {
            return "batch_norm_fold";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType weight = Types.floating(name(), inputs, 0, "weight", 1);
            long channels = weight.shape().elements();
            List<String> operands = List.of("weight", "bias", "runningMean", "runningVar");
            for (int i = 0; i < operands.size(); i++) {
                Types.exactly(name(), inputs, i, operands.get(i), DType.F32, channels);
            }
            return List.of(weight, weight);
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = velu_batch_norm_desc.allocate(b.arena());
            velu_batch_norm_desc.device(desc, b.device());
            velu_batch_norm_desc.dtype(desc, DType.F32.code());
            velu_batch_norm_desc.channels(desc, b.inputType(0).shape().elements());
            velu_batch_norm_desc.eps(desc, norm.eps);
            MemorySegment context = b.context().handle();
            MemorySegment weight = b.input(0);
            MemorySegment bias = b.input(1);
            MemorySegment runningMean = b.input(2);
            MemorySegment runningVar = b.input(3);
            MemorySegment scale = b.output(0);
            MemorySegment shift = b.output(1);
            return () ->
                    VeluNative.velu_batch_norm_fold(context, desc, weight, bias, runningMean, runningVar, scale, shift);
        }
    }

    /**
     * Inputs x, dy, weight, bias, residual or null, lambda or null, savedMean, savedInvStd, moments or null, what else
     * flows back to x and is added to dx or null; outputs dx, dresidual or null, dweight, dbias, dlambda or null.
     */
    record Backward(BatchNorm norm, boolean dlambda) implements Operation {
        @Override
        public String name() {
            return "batch_norm_backward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = norm.infer(name(), inputs, 2, 2);
            long channels = x.shape().size(-1);
            Types.like(name(), inputs, 1, "dy", x);
            Types.exactly(name(), inputs, 6, "savedMean", DType.F32, channels);
            Types.exactly(name(), inputs, 7, "savedInvStd", DType.F32, channels);
            Types.optionalLike(name(), inputs, 8, "moments", Velu.MOMENTS);
            Types.optionalLike(name(), inputs, 9, "addend of dx", x);
            if (norm.w2Weight != 0) {
                Types.present(name(), inputs, 8, "moments, which the weight " + norm.w2Weight + " of W2 needs,");
            }
            if (dlambda && !norm.isVelu()) {
                throw new IllegalArgumentException(name() + ": dlambda is asked for, but the activation is not VeLU");
            }
            TensorType parameter = TensorType.f32(channels);
            return Collections.unmodifiableList(Arrays.asList(
                    x, inputs.get(4) == null ? null : x, parameter, parameter, dlambda ? TensorType.f32() : null));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = norm.desc(b);
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment dy = b.input(1);
            MemorySegment weight = b.input(2);
            MemorySegment bias = b.input(3);
            MemorySegment residual = b.input(4);
            MemorySegment lambda = b.input(5);
            MemorySegment savedMean = b.input(6);
            MemorySegment savedInvStd = b.input(7);
            MemorySegment moments = b.input(8);
            MemorySegment addend = b.input(9);
            velu_batch_norm_desc.dx_pitch(desc, b.outputType(0).pitch());
            if (b.inputType(9) != null) {
                velu_batch_norm_desc.dx_addend_pitch(desc, b.inputType(9).pitch());
            }
            MemorySegment dx = b.output(0);
            MemorySegment dresidual = b.output(1);
            MemorySegment dweight = b.output(2);
            MemorySegment dbias = b.output(3);
            MemorySegment gradient = b.output(4);
            return () -> VeluNative.velu_batch_norm_backward(
                    context,
                    desc,
                    x,
                    dy,
                    weight,
                    bias,
                    residual,
                    lambda,
                    savedMean,
                    savedInvStd,
                    moments,
                    addend,
                    dx,
                    dresidual,
                    dweight,
                    dbias,
                    gradient);
        }

        /** The sums over the rows take one pass over x, dy and the residual, the gradients a second. */
        @Override
        public long bytes(List<TensorType> inputs, List<TensorType> outputs) {
            return Operation.super.bytes(inputs, outputs)
                    + Operation.bytes(inputs.get(0))
                    + Operation.bytes(inputs.get(1))
                    + Operation.bytes(inputs.get(4));
        }

        /** The addend or dy becomes dx; only where dy does not, it may become dresidual. */
        @Override
        public List<Alias> inPlace() {
            return List.of(new Alias(9, 0), new Alias(1, 0), new Alias(1, 1));
        }

        @Override
        public boolean readsPitched(int input) {
            return input == 0 || input == 9;
        }

        @Override
        public boolean writesPitched(int output) {
            return output == 0;
        }
    }
}
