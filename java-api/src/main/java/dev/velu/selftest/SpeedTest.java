package dev.velu.selftest;

import dev.velu.bindings.velu_attention_desc;
import dev.velu.bindings.velu_conv2d_desc;
import dev.velu.bindings.velu_linear_desc;
import dev.velu.bindings.velu_scaled_linear_desc;
import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.DeviceInfo;
import dev.velu.device.Status;
import dev.velu.device.Stream;
import dev.velu.device.VeluException;
import dev.velu.nn.Initializer;
import dev.velu.op.Activation;
import dev.velu.op.ActivationFunction;
import dev.velu.op.ActivationStatistics;
import dev.velu.op.AdaptiveAvgPool2d;
import dev.velu.op.Add;
import dev.velu.op.Attention;
import dev.velu.op.AvgPool2d;
import dev.velu.op.BatchNorm;
import dev.velu.op.Cast;
import dev.velu.op.ChannelScale;
import dev.velu.op.Concat;
import dev.velu.op.Conv2d;
import dev.velu.op.Conv2dPacked;
import dev.velu.op.Dropout;
import dev.velu.op.GlobalAvgPool;
import dev.velu.op.GradientNorm;
import dev.velu.op.LayerNorm;
import dev.velu.op.Lerp;
import dev.velu.op.Linear;
import dev.velu.op.MaxPool2d;
import dev.velu.op.NormalizeImage;
import dev.velu.op.OptimizerStep;
import dev.velu.op.Pointwise;
import dev.velu.op.PoolWindow;
import dev.velu.op.RandomFill;
import dev.velu.op.ScaledLinear;
import dev.velu.op.SoftmaxCrossEntropy;
import dev.velu.op.TokenEmbedding;
import dev.velu.op.TopK;
import dev.velu.op.Transpose;
import dev.velu.op.Velu;
import dev.velu.op.VeluParameters;
import dev.velu.op.W2;
import dev.velu.op.Wasserstein;
import dev.velu.optim.GradientClip;
import dev.velu.optim.OptimizerAlgorithm;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;

/**
 * Times every operation of a device on the sizes of real networks, on random data, and compares the times with what the
 * device can do at best: a copy within its memory and a large matrix product, both measured in the same run.
 *
 * <p>On a GPU the tensors of memory-bound operations are made so large that one call moves about 2 GiB, far more than its
 * caches hold. On the CPU everything is smaller, so that all of it takes well under a minute.
 */
public final class SpeedTest {
    private static final long GIB = 1L << 30;
    private static final long MIB = 1L << 20;
    /** Times that the limits are measured where only the best counts: what else runs on the machine slows some down. */
    private static final int LIMIT_ROUNDS = 2;

    /** Pixels x channels of VeLU's sites in the four stages of ResNet-50 at 224 pixels, for a batch of 32. */
    private static final long[][] ROWS = {{100_352, 64}, {25_088, 256}, {6_272, 512}, {1_568, 2048}};
    /** Trainable values of ResNet-50. */
    private static final long PARAMETERS = 25_557_032;

    /**
     * How large the tensors are.
     *
     * @param traffic bytes that a call of a memory-bound operation moves, about
     * @param batch images of convolutions
     * @param side of the square matrices of the large product
     * @param rows of the loss
     */
    record Sizes(long traffic, int batch, int side, int rows) {
        static Sizes of(Device device) {
            return device.kind() == Device.Kind.CPU
                    ? new Sizes(48 * MIB, 4, 1024, 4096)
                    : new Sizes(2 * GIB, 256, 8192, 262_144);
        }

        /** Made smaller until the limits can be measured in this much memory. */
        private Sizes within(long bytes) {
            boolean fits = traffic <= bytes && 4L * Float.BYTES * side * side <= bytes;
            return fits || side < 512
                    ? this
                    : new Sizes(traffic / 4, Math.max(1, batch / 4), side / 2, rows).within(bytes);
        }
    }

    private final Context context;
    private final Sizes sizes;
    private final Consumer<Measurement> report;
    private final Consumer<NotRun> notRun;
    private final long traffic;
    private final int batch;
    private final List<Tensor> tensors = new ArrayList<>();
    private final Stopwatch stopwatch;
    private Limits limits;
    private DType dtype = DType.F32;

    private SpeedTest(
            Context context, Sizes sizes, Consumer<Measurement> report, Consumer<NotRun> notRun, Stopwatch stopwatch) {
        this.context = context;
        this.sizes = sizes;
        this.report = report;
        this.notRun = notRun;
        this.stopwatch = stopwatch;
        traffic = sizes.traffic;
        batch = sizes.batch;
    }

    /**
     * Measures everything in float32, and in BF16 where the device computes in it.
     *
     * @param best takes the device's limits, which are measured first
     * @param report takes each measurement when it is there
     * @param notRun takes what the device does not compute, or has no memory for, with the reason
     */
    public static void run(
            Context context, Consumer<Limits> best, Consumer<Measurement> report, Consumer<NotRun> notRun) {
        run(context, Sizes.of(context.device()), best, report, notRun);
    }

    static void run(
            Context context,
            Sizes sizes,
            Consumer<Limits> best,
            Consumer<Measurement> report,
            Consumer<NotRun> notRun) {
        try (Stopwatch stopwatch = new Stopwatch(context)) {
            SpeedTest test = new SpeedTest(context, sizes, report, notRun, stopwatch);
            String refused = SelfTest.bfloat16Refused(context);
            List<DType> dtypes = refused == null ? List.of(DType.F32, DType.BF16) : List.of(DType.F32);
            test.limits = test.measureLimits(dtypes);
            best.accept(test.limits);
            if (refused != null) {
                notRun.accept(new NotRun("arithmetic in BF16", refused));
            }
            for (DType dtype : dtypes) {
                test.dtype = dtype;
                test.operations();
            }
        }
    }

    /**
     * Measures what the device does at best, in a second or two: the fastest of several kinds of work, so that hardly an
     * operation is faster. Memory is a copy or a pass in place, which spares the lines that are only read to be overwritten;
     * arithmetic is a matrix product or a convolution.
     *
     * @param dtypes that arithmetic is measured in
     * @throws VeluException if the device does not compute in one of them
     */
    public static Limits limits(Context context, List<DType> dtypes) {
        try (Stopwatch stopwatch = new Stopwatch(context)) {
            Sizes sizes = Sizes.of(context.device())
                    .within(DeviceInfo.query(context.device()).memoryFree() / 2);
            SpeedTest test = new SpeedTest(context, sizes, m -> {}, n -> {}, stopwatch);
            Limits best = test.measureLimits(dtypes);
            for (int round = 0; round < LIMIT_ROUNDS; round++) {
                best = best.orBetter(test.measureLimits(dtypes)).orBetter(test.passAndConvolution(dtypes));
            }
            return best;
        }
    }

    // ---- Limits
    // ----------------------------------------------------------------------------------------------------------

    private Limits measureLimits(List<DType> dtypes) {
        long elements = traffic / 2 / Float.BYTES;
        Tensor source = random(DType.F32, elements);
        Tensor destination = tensor(DType.F32, elements);
        double copy = stopwatch
                .time(() -> context.copyAsync(source.segment(), destination.segment(), Stream.COMPUTE))
                .median();
        if (context.device().kind() == Device.Kind.CPU) {
            // A copy on the CPU is one thread's; several may do more.
            copy = Math.min(
                    copy,
                    stopwatch
                            .time(() -> new Cast(DType.F32).forward(context, source, destination))
                            .median());
        }
        release();
        Map<DType, Double> flops = new EnumMap<>(DType.class);
        int side = sizes.side;
        for (DType type : dtypes) {
            Tensor a = random(type, side, side);
            Tensor b = random(type, side, side);
            Tensor c = tensor(type, side, side);
            double milliseconds = stopwatch
                    .time(() -> new Linear().forward(context, a, b, null, c))
                    .median();
            flops.put(type, 2e3 * side * side * side / milliseconds);
            release();
        }
        return new Limits(2e3 * elements * Float.BYTES / copy, flops);
    }

    private Limits passAndConvolution(List<DType> dtypes) {
        long elements = sizes.traffic / Float.BYTES;
        Tensor x = random(DType.F32, elements);
        Activation relu = new Activation(Pointwise.RELU);
        double pass = stopwatch.time(() -> relu.forward(context, x, x)).median();
        release();
        Map<DType, Double> flops = new EnumMap<>(DType.class);
        long side = 14;
        long channels = 256;
        for (DType type : dtypes) {
            Tensor image = random(type, 2L * batch, side, side, channels);
            // Of one pixel: larger kernels may take fewer multiplications than they have by definition.
            Tensor weight = random(type, channels, 1, 1, channels);
            Tensor y = tensor(type, 2L * batch, side, side, channels);
            double milliseconds = stopwatch
                    .time(() -> Conv2d.of(1, 0).forward(context, image, weight, null, y))
                    .median();
            flops.put(type, 2e3 * image.shape().elements() * channels / milliseconds);
            release();
        }
        return new Limits(2e3 * elements * Float.BYTES / pass, flops);
    }

    // ---- Operations
    // ------------------------------------------------------------------------------------------------------

    private void operations() {
        for (long[] shape : ROWS) {
            velu(shape[0], shape[1]);
        }
        sites(ROWS[1][0], ROWS[1][1]);
        for (long[] shape : ROWS) {
            batchNorm(shape[0], shape[1], VeluParameters.released());
        }
        batchNorm(ROWS[1][0], ROWS[1][1], Pointwise.RELU);
        pointwise();
        convolutions();
        linear(batch, 2048, 1000);
        linear(batch * 197L, 768, 3072);
        attention(197, 12, 64);
        layerNorm(197, 768);
        tokenEmbedding(196, 768);
        channelScale(38, 288);
        scaledLinear(38, 288, 48);
        pooling();
        loss(sizes.rows, 1000);
        if (dtype == DType.F32) {
            optimizer("SGD with momentum", new OptimizerAlgorithm.Sgd(0.9f, false, 1e-4f), 5);
            optimizer("Adam", OptimizerAlgorithm.Adam.defaults(), 7);
            long count = parameters(Float.BYTES);
            measure("gradient_norm", count + "", 4.0 * count, () -> {
                Tensor gradients = random(DType.F32, count);
                Tensor norm = tensor(DType.F32);
                return () -> new GradientNorm().norm(context, gradients, norm);
            });
            measure("lerp", count + "", 12.0 * count, () -> {
                Tensor values = random(DType.F32, count);
                Tensor average = random(DType.F32, count);
                Tensor weight = tensor(DType.F32).set(0.001f);
                return () -> new Lerp().step(context, weight, values, average);
            });
            measure("random_fill", count + " normal", 4.0 * count, () -> {
                Tensor out = tensor(DType.F32, count);
                RandomFill fill = new RandomFill(new Initializer.Normal(0, 1), 1, 2);
                return () -> fill.fill(context, out);
            });
        }
        images();
    }

    private void velu(long rows, long channels) {
        Velu velu = new Velu(VeluParameters.released(), 0.1f);
        long forwardRows = scaled(rows, 2L * channels * dtype.bytes());
        double forwardBytes = 2.0 * forwardRows * channels * dtype.bytes();
        measure("velu_forward", forwardRows + "x" + channels, forwardBytes, () -> {
            Tensor x = random(dtype, forwardRows, channels);
            Tensor y = tensor(dtype, forwardRows, channels);
            Tensor lambda = tensor(DType.F32).set(1f);
            Tensor moments = tensor(DType.F32, 3);
            return () -> velu.forward(context, x, lambda, y, moments);
        });
        long backwardRows = scaled(rows, 3L * channels * dtype.bytes());
        double backwardBytes = 3.0 * backwardRows * channels * dtype.bytes();
        measure("velu_backward", backwardRows + "x" + channels, backwardBytes, () -> {
            Tensor x = random(dtype, backwardRows, channels);
            Tensor dy = random(dtype, backwardRows, channels);
            Tensor dx = tensor(dtype, backwardRows, channels);
            Tensor lambda = tensor(DType.F32).set(1f);
            Tensor moments = tensor(DType.F32, 3).set(0.01f, 0.5f, 0.25f);
            Tensor dlambda = tensor(DType.F32);
            return () -> velu.backward(context, x, dy, lambda, moments, dx, dlambda);
        });
    }

    /** What W2 costs where it is not VeLU's own, and a look at an activation site. */
    private void sites(long wanted, long channels) {
        long rows = scaled(wanted, 4L * channels * dtype.bytes());
        double bytes = (double) rows * channels * dtype.bytes();
        String shape = rows + "x" + channels;
        for (W2 kind : new W2[] {W2.PER_CHANNEL, W2.EMPIRICAL}) {
            Wasserstein wasserstein = new Wasserstein(kind, 0.1f);
            TensorType saved = wasserstein.savedType(new TensorType(dtype, Shape.of(rows, channels)));
            measure("wasserstein_forward", shape + " " + kind.label(), 2 * bytes + saved.bytes(), () -> {
                Tensor a = random(dtype, rows, channels);
                Tensor y = tensor(dtype, rows, channels);
                Tensor lambda = tensor(DType.F32).set(1f);
                Tensor kept = tensor(DType.F32, saved.shape().toArray());
                Tensor moments = tensor(DType.F32, 3);
                return () -> wasserstein.forward(context, a, lambda, y, kept, moments);
            });
            measure("wasserstein_backward", shape + " " + kind.label(), 3 * bytes + saved.bytes(), () -> {
                Tensor a = random(dtype, rows, channels);
                Tensor dy = random(dtype, rows, channels);
                Tensor da = tensor(dtype, rows, channels);
                Tensor lambda = tensor(DType.F32).set(1f);
                Tensor kept = random(DType.F32, saved.shape().toArray());
                Tensor dlambda = tensor(DType.F32);
                return () -> wasserstein.backward(context, a, dy, lambda, kept, da, dlambda);
            });
        }
        ActivationStatistics statistics = new ActivationStatistics(VeluParameters.released());
        measure("activation_statistics", shape, 2 * bytes, () -> {
            Tensor x = random(dtype, rows, channels);
            Tensor a = random(dtype, rows, channels);
            Tensor values = tensor(DType.F32, 6);
            Tensor counts = tensor(DType.I64, 2);
            return () -> statistics.measure(context, x, a, null, values, counts);
        });
    }

    private void batchNorm(long rows, long channels, ActivationFunction activation) {
        boolean velu = activation instanceof VeluParameters;
        BatchNorm norm = new BatchNorm(1e-5f, 0.1f, activation, velu ? 0.1f : 0);
        long n = scaled(rows, 3L * channels * dtype.bytes());
        double tensorBytes = (double) n * channels * dtype.bytes();
        String name = n + "x" + channels + " " + activation.label();
        // The statistics take one pass over x, applying them a second and a write.
        measure("batch_norm_forward_training", name, 3 * tensorBytes, () -> {
            Norm t = new Norm(n, channels, velu);
            Tensor y = tensor(dtype, n, channels);
            return () -> norm.forwardTraining(
                    context,
                    t.x,
                    t.weight,
                    t.bias,
                    null,
                    t.lambda,
                    t.mean,
                    t.variance,
                    null,
                    y,
                    t.savedMean,
                    t.savedInvStd,
                    t.moments);
        });
        measure("batch_norm_forward_inference", name, 2 * tensorBytes, () -> {
            Norm t = new Norm(n, channels, velu);
            Tensor y = tensor(dtype, n, channels);
            return () -> norm.forwardInference(
                    context, t.x, t.weight, t.bias, null, t.lambda, t.mean, t.variance, y, t.moments);
        });
        // The sums over rows take one pass over x and dy, the gradient a second and a write.
        measure("batch_norm_backward", name, 5 * tensorBytes, () -> {
            Norm t = new Norm(n, channels, velu);
            Tensor dy = random(dtype, n, channels);
            Tensor dx = tensor(dtype, n, channels);
            Tensor dweight = tensor(DType.F32, channels);
            Tensor dbias = tensor(DType.F32, channels);
            Tensor dlambda = velu ? tensor(DType.F32) : null;
            return () -> norm.backward(
                    context,
                    t.x,
                    dy,
                    t.weight,
                    t.bias,
                    null,
                    t.lambda,
                    t.savedMean,
                    t.savedInvStd,
                    t.moments,
                    dx,
                    null,
                    dweight,
                    dbias,
                    dlambda);
        });
    }

    /** Operands of batch normalization; the saved statistics are those of x. */
    private final class Norm {
        private final Tensor x;
        private final Tensor weight;
        private final Tensor bias;
        private final Tensor lambda;
        private final Tensor mean;
        private final Tensor variance;
        private final Tensor savedMean;
        private final Tensor savedInvStd;
        private final Tensor moments;

        Norm(long rows, long channels, boolean velu) {
            x = random(dtype, rows, channels);
            weight = constant(1, channels);
            bias = constant(0, channels);
            lambda = velu ? tensor(DType.F32).set(1f) : null;
            mean = constant(0, channels);
            variance = constant(1, channels);
            savedMean = constant(0, channels);
            savedInvStd = constant(1, channels);
            moments = velu ? tensor(DType.F32, 3).set(0.01f, 0.5f, 0.25f) : null;
        }
    }

    private void pointwise() {
        long two = scaled(ROWS[0][0] * ROWS[0][1], 2L * dtype.bytes());
        long three = scaled(ROWS[0][0] * ROWS[0][1], 3L * dtype.bytes());
        double twoBytes = 2.0 * two * dtype.bytes();
        double threeBytes = 3.0 * three * dtype.bytes();
        for (Pointwise function : List.of(Pointwise.RELU, Pointwise.SILU, Pointwise.GELU)) {
            Activation activation = new Activation(function);
            measure("activation_forward", two + " " + function.label(), twoBytes, () -> {
                Tensor x = random(dtype, two);
                Tensor y = tensor(dtype, two);
                return () -> activation.forward(context, x, y);
            });
            measure("activation_backward", three + " " + function.label(), threeBytes, () -> {
                Tensor x = random(dtype, three);
                Tensor dy = random(dtype, three);
                Tensor dx = tensor(dtype, three);
                return () -> activation.backward(context, x, dy, dx);
            });
        }
        measure("add_forward", three + "", threeBytes, () -> {
            Tensor a = random(dtype, three);
            Tensor b = random(dtype, three);
            Tensor y = tensor(dtype, three);
            return () -> new Add().forward(context, a, b, y);
        });
        DType other = dtype == DType.F32 ? DType.BF16 : DType.F32;
        long cast = scaled(ROWS[0][0] * ROWS[0][1], 6);
        measure("cast_forward", cast + " from " + other, 6.0 * cast, () -> {
            Tensor x = random(other, cast);
            Tensor y = tensor(dtype, cast);
            return () -> new Cast(dtype).forward(context, x, y);
        });
        measure("dropout_forward", two + "", twoBytes, () -> {
            Tensor x = random(dtype, two);
            Tensor y = tensor(dtype, two);
            Tensor step = tensor(DType.I64);
            Dropout dropout = new Dropout(0.1f, 1, 2, Dropout.Mode.ELEMENT);
            return () -> dropout.forward(context, x, step, y);
        });
        long images = scaled(batch, 2L * 64 * 3136 * dtype.bytes());
        measure("transpose_forward", images + "x64x3136", 2.0 * images * 64 * 3136 * dtype.bytes(), () -> {
            Tensor x = random(dtype, images, 64, 3136);
            Tensor y = tensor(dtype, images, 3136, 64);
            return () -> new Transpose(1, 1).forward(context, x, y);
        });
        long tokens = scaled(batch * 197L, 2 * 768L * dtype.bytes());
        measure("copy_rows_forward", tokens + "x384 twice to pitch 768", 2.0 * tokens * 768 * dtype.bytes(), () -> {
            Tensor left = random(dtype, tokens, 384);
            Tensor right = random(dtype, tokens, 384);
            Tensor y = tensor(dtype, tokens, 768);
            return () -> new Concat().forward(context, left, right, y);
        });
    }

    /** ResNet-50 at 224 pixels, one convolution of every kind; and a depthwise one of MobileNet V2. */
    private void convolutions() {
        convolution(Conv2d.of(2, 3), 224, 3, 64, 7);
        convolution(Conv2d.of(1, 0), 56, 64, 256, 1);
        convolution(Conv2d.of(1, 1), 56, 64, 64, 3);
        convolution(Conv2d.of(2, 1), 56, 128, 128, 3);
        convolution(Conv2d.of(1, 1), 28, 128, 128, 3);
        convolution(Conv2d.of(1, 0), 28, 512, 128, 1);
        convolution(Conv2d.of(1, 1), 14, 256, 256, 3);
        convolution(Conv2d.of(1, 0), 14, 1024, 256, 1);
        convolution(Conv2d.of(1, 1), 7, 512, 512, 3);
        convolution(Conv2d.of(1, 0), 7, 512, 2048, 1);
        convolution(new Conv2d(1, 1, 1, 1, 1, 1, 96), 56, 96, 96, 3);
    }

    private void convolution(Conv2d conv, int side, int in, int out, int kernel) {
        int outSide = (side + 2 * conv.paddingHeight() - kernel) / conv.strideHeight() + 1;
        long inGroup = in / conv.groups();
        double flops = 2.0 * batch * outSide * outSide * out * kernel * kernel * inGroup;
        double xBytes = (double) batch * side * side * in * dtype.bytes();
        double yBytes = (double) batch * outSide * outSide * out * dtype.bytes();
        long weights = (long) out * kernel * kernel * inGroup;
        String name = batch + "x" + side + "x" + side + "x" + in + " to " + out + " kernel " + kernel + " stride "
                + conv.strideHeight() + (conv.groups() > 1 ? " groups " + conv.groups() : "");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = velu_conv2d_desc.allocate(arena);
            velu_conv2d_desc.device(desc, context.device().kind().ordinal());
            velu_conv2d_desc.dtype(desc, dtype.code());
            velu_conv2d_desc.batch(desc, batch);
            velu_conv2d_desc.in_height(desc, side);
            velu_conv2d_desc.in_width(desc, side);
            velu_conv2d_desc.in_channels(desc, in);
            velu_conv2d_desc.out_channels(desc, out);
            velu_conv2d_desc.kernel_height(desc, kernel);
            velu_conv2d_desc.kernel_width(desc, kernel);
            velu_conv2d_desc.stride_height(desc, conv.strideHeight());
            velu_conv2d_desc.stride_width(desc, conv.strideWidth());
            velu_conv2d_desc.padding_height(desc, conv.paddingHeight());
            velu_conv2d_desc.padding_width(desc, conv.paddingWidth());
            velu_conv2d_desc.dilation_height(desc, 1);
            velu_conv2d_desc.dilation_width(desc, 1);
            velu_conv2d_desc.groups(desc, conv.groups());
            double weightBytes = (double) weights * dtype.bytes();
            measure("conv2d_forward", name, desc, xBytes + yBytes + weightBytes, flops, () -> {
                Tensor x = random(dtype, batch, side, side, in);
                Tensor weight = random(dtype, out, kernel, kernel, inGroup);
                Tensor y = tensor(dtype, batch, outSide, outSide, out);
                return () -> conv.forward(context, x, weight, null, y);
            });
            measure("conv2d_packed_forward", name, desc, xBytes + yBytes + weightBytes, flops, () -> {
                Tensor x = random(dtype, batch, side, side, in);
                Tensor weight = random(DType.F32, out, kernel, kernel, inGroup);
                Conv2dPacked form = new Conv2dPacked(conv, weight.shape());
                Tensor packed = tensor(
                        DType.U8, form.packedType(context, x.type()).shape().size(0));
                Tensor bias = tensor(DType.F32, out);
                form.pack(context, x.type(), weight, null, null, null, packed, bias);
                Tensor y = tensor(dtype, batch, outSide, outSide, out);
                return () -> form.forward(context, x, packed, bias, null, null, y);
            });
            measure("conv2d_backward_data", name, desc, xBytes + yBytes + weightBytes, flops, () -> {
                Tensor dy = random(dtype, batch, outSide, outSide, out);
                Tensor weight = random(dtype, out, kernel, kernel, inGroup);
                Tensor dx = tensor(dtype, batch, side, side, in);
                return () -> conv.backwardData(context, dy, weight, dx);
            });
            measure("conv2d_backward_weights", name, desc, xBytes + yBytes + 4.0 * weights, flops, () -> {
                Tensor x = random(dtype, batch, side, side, in);
                Tensor dy = random(dtype, batch, outSide, outSide, out);
                Tensor dweight = tensor(DType.F32, out, kernel, kernel, inGroup);
                return () -> conv.backwardWeights(context, x, dy, dweight, null);
            });
        }
    }

    private void linear(long rows, long in, long out) {
        Linear linear = new Linear();
        double flops = 2.0 * rows * in * out;
        double bytes = (double) (rows * in + rows * out) * dtype.bytes();
        String name = rows + "x" + in + " to " + out;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = velu_linear_desc.allocate(arena);
            velu_linear_desc.device(desc, context.device().kind().ordinal());
            velu_linear_desc.dtype(desc, dtype.code());
            velu_linear_desc.rows(desc, rows);
            velu_linear_desc.in_features(desc, in);
            velu_linear_desc.out_features(desc, out);
            double weightBytes = (double) in * out * dtype.bytes();
            measure("linear_forward", name, desc, bytes + weightBytes, flops, () -> {
                Tensor x = random(dtype, rows, in);
                Tensor weight = random(dtype, out, in);
                Tensor bias = constant(0.5f, out);
                Tensor y = tensor(dtype, rows, out);
                return () -> linear.forward(context, x, weight, bias, y);
            });
            measure("linear_backward_data", name, desc, bytes + weightBytes, flops, () -> {
                Tensor dy = random(dtype, rows, out);
                Tensor weight = random(dtype, out, in);
                Tensor dx = tensor(dtype, rows, in);
                return () -> linear.backwardData(context, dy, weight, dx);
            });
            measure("linear_backward_weights", name, desc, bytes + 4.0 * in * out, flops, () -> {
                Tensor x = random(dtype, rows, in);
                Tensor dy = random(dtype, rows, out);
                Tensor dweight = tensor(DType.F32, out, in);
                Tensor dbias = tensor(DType.F32, out);
                return () -> linear.backwardWeights(context, x, dy, dweight, dbias);
            });
        }
    }

    /** ViT's, of a batch of images. */
    private void attention(int tokens, int heads, int headSize) {
        Attention attention = new Attention(heads);
        long channels = (long) heads * headSize;
        // The backward pass has the scores again, and the gradients of both operands of both products.
        double flops = 2.0 * batch * tokens * tokens * channels;
        double yBytes = (double) batch * tokens * channels * dtype.bytes();
        double rowBytes = 4.0 * batch * heads * tokens;
        String name = batch + "x" + tokens + " heads " + heads + "x" + headSize;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = velu_attention_desc.allocate(arena);
            velu_attention_desc.device(desc, context.device().kind().ordinal());
            velu_attention_desc.dtype(desc, dtype.code());
            velu_attention_desc.batch(desc, batch);
            velu_attention_desc.tokens(desc, tokens);
            velu_attention_desc.heads(desc, heads);
            velu_attention_desc.head_size(desc, headSize);
            velu_attention_desc.scale(desc, (float) (1 / Math.sqrt(headSize)));
            measure("attention_forward", name, desc, 4 * yBytes + rowBytes, 2 * flops, () -> {
                Tensor qkv = random(dtype, batch, tokens, 3 * channels);
                Tensor y = tensor(dtype, batch, tokens, channels);
                Tensor logSumExp = tensor(DType.F32, batch, heads, tokens);
                return () -> attention.forward(context, qkv, y, logSumExp);
            });
            measure("attention_backward", name, desc, 8 * yBytes + rowBytes, 5 * flops, () -> {
                Tensor qkv = random(dtype, batch, tokens, 3 * channels);
                Tensor y = tensor(dtype, batch, tokens, channels);
                Tensor logSumExp = tensor(DType.F32, batch, heads, tokens);
                attention.forward(context, qkv, y, logSumExp);
                Tensor dy = random(dtype, batch, tokens, channels);
                Tensor dqkv = tensor(dtype, batch, tokens, 3 * channels);
                return () -> attention.backward(context, qkv, y, dy, logSumExp, dqkv);
            });
        }
    }

    /** As it is joined with the residual sum before it. */
    private void layerNorm(long tokens, long channels) {
        LayerNorm norm = new LayerNorm(1e-6f);
        long n = scaled(batch * tokens, 4 * channels * dtype.bytes());
        double bytes = 4.0 * n * channels * dtype.bytes();
        String name = n + "x" + channels;
        measure("layer_norm_forward", name + " residual", bytes, () -> {
            Tensor x = random(dtype, n, channels);
            Tensor residual = random(dtype, n, channels);
            Tensor weight = constant(1, channels);
            Tensor bias = constant(0, channels);
            Tensor y = tensor(dtype, n, channels);
            Tensor sum = tensor(dtype, n, channels);
            Tensor mean = tensor(DType.F32, n);
            Tensor invStd = tensor(DType.F32, n);
            return () -> norm.forward(context, x, residual, weight, bias, y, sum, mean, invStd);
        });
        measure("layer_norm_backward", name + " addend", bytes, () -> {
            Tensor z = random(dtype, n, channels);
            Tensor dy = random(dtype, n, channels);
            Tensor addend = random(dtype, n, channels);
            Tensor weight = constant(1, channels);
            Tensor mean = constant(0, n);
            Tensor invStd = constant(1, n);
            Tensor dx = tensor(dtype, n, channels);
            Tensor dweight = tensor(DType.F32, channels);
            Tensor dbias = tensor(DType.F32, channels);
            return () -> norm.backward(context, z, dy, addend, weight, mean, invStd, dx, dweight, dbias);
        });
    }

    private void tokenEmbedding(long patches, long channels) {
        TokenEmbedding embedding = new TokenEmbedding();
        long n = scaled(batch, (2 * patches + 1) * channels * dtype.bytes());
        double bytes = (double) n * (2 * patches + 1) * channels * dtype.bytes();
        String name = n + "x" + patches + "x" + channels;
        measure("token_embedding_forward", name, bytes, () -> {
            Tensor x = random(dtype, n, patches, channels);
            Tensor classToken = random(DType.F32, 1, 1, channels);
            Tensor position = random(DType.F32, 1, patches + 1, channels);
            Tensor y = tensor(dtype, n, patches + 1, channels);
            return () -> embedding.forward(context, x, classToken, position, y);
        });
        measure("token_embedding_backward", name, bytes, () -> {
            Tensor dy = random(dtype, n, patches + 1, channels);
            Tensor dx = tensor(dtype, n, patches, channels);
            Tensor dclassToken = tensor(DType.F32, 1, 1, channels);
            Tensor dposition = tensor(DType.F32, 1, patches + 1, channels);
            return () -> embedding.backward(context, dy, dx, dclassToken, dposition);
        });
    }

    /** Of EfficientNet's squeeze-and-excitation. */
    private void channelScale(int side, int channels) {
        ChannelScale operation = new ChannelScale();
        long imageBytes = (long) side * side * channels * dtype.bytes();
        long n = scaled(batch, 2 * imageBytes);
        String name = n + "x" + side + "x" + side + "x" + channels;
        measure("channel_scale_forward", name, 2.0 * n * imageBytes, () -> {
            Tensor x = random(dtype, n, side, side, channels);
            Tensor scale = random(dtype, n, 1, 1, channels);
            Tensor y = tensor(dtype, n, side, side, channels);
            return () -> operation.forward(context, x, scale, y);
        });
        measure("channel_scale_backward", name, 3.0 * n * imageBytes, () -> {
            Tensor x = random(dtype, n, side, side, channels);
            Tensor scale = random(dtype, n, 1, 1, channels);
            Tensor dy = random(dtype, n, side, side, channels);
            Tensor dx = tensor(dtype, n, side, side, channels);
            Tensor dscale = tensor(dtype, n, 1, 1, channels);
            return () -> operation.backward(context, x, scale, dy, dx, dscale);
        });
    }

    /** And of the 1 x 1 convolution behind it, joined. */
    private void scaledLinear(int side, int in, int out) {
        ScaledLinear operation = new ScaledLinear();
        double pixels = (double) batch * side * side;
        double flops = 2 * pixels * in * out;
        double xBytes = pixels * in * dtype.bytes();
        double yBytes = pixels * out * dtype.bytes();
        String name = batch + "x" + side + "x" + side + "x" + in + " to " + out;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = velu_scaled_linear_desc.allocate(arena);
            velu_scaled_linear_desc.device(desc, context.device().kind().ordinal());
            velu_scaled_linear_desc.dtype(desc, dtype.code());
            velu_scaled_linear_desc.batch(desc, batch);
            velu_scaled_linear_desc.pixels(desc, (long) side * side);
            velu_scaled_linear_desc.in_features(desc, in);
            velu_scaled_linear_desc.out_features(desc, out);
            measure("scaled_linear_forward", name, desc, xBytes + yBytes, flops, () -> {
                Tensor x = random(dtype, batch, side, side, in);
                Tensor scale = random(dtype, batch, 1, 1, in);
                Tensor weight = random(dtype, out, 1, 1, in);
                Tensor y = tensor(dtype, batch, side, side, out);
                return () -> operation.forward(context, x, scale, weight, y);
            });
            measure("scaled_linear_backward_data", name, desc, 2 * xBytes + yBytes, flops, () -> {
                Tensor x = random(dtype, batch, side, side, in);
                Tensor scale = random(dtype, batch, 1, 1, in);
                Tensor weight = random(dtype, out, 1, 1, in);
                Tensor dy = random(dtype, batch, side, side, out);
                Tensor dx = tensor(dtype, batch, side, side, in);
                Tensor dscale = tensor(dtype, batch, 1, 1, in);
                return () -> operation.backwardData(context, x, scale, dy, weight, dx, dscale);
            });
            measure("scaled_linear_backward_weights", name, desc, xBytes + yBytes, flops, () -> {
                Tensor x = random(dtype, batch, side, side, in);
                Tensor scale = random(dtype, batch, 1, 1, in);
                Tensor dy = random(dtype, batch, side, side, out);
                Tensor dweight = tensor(DType.F32, out, 1, 1, in);
                return () -> operation.backwardWeights(context, x, scale, dy, dweight);
            });
        }
    }

    private void pooling() {
        MaxPool2d max = new MaxPool2d(PoolWindow.of(3, 2, 1));
        long n = scaled(batch, 112L * 112 * 64 * dtype.bytes());
        double whole = 112.0 * 112 * 64 * n;
        String name = n + "x112x112x64 kernel 3 stride 2";
        double maxBytes = whole * dtype.bytes() + whole / 4 * (dtype.bytes() + 1);
        measure("max_pool2d_forward", name, maxBytes, () -> {
            Tensor x = random(dtype, n, 112, 112, 64);
            Tensor y = tensor(dtype, n, 56, 56, 64);
            Tensor argmax = tensor(DType.U8, n, 56, 56, 64);
            return () -> max.forward(context, x, y, argmax);
        });
        measure("max_pool2d_backward", name, maxBytes, () -> {
            Tensor dy = random(dtype, n, 56, 56, 64);
            Tensor argmax = tensor(DType.U8, n, 56, 56, 64);
            byte[] positions = new byte[Math.toIntExact(argmax.shape().elements())];
            Random random = new Random(1);
            for (int i = 0; i < positions.length; i++) {
                // Of the lower right corner: inside the image everywhere.
                positions[i] = (byte) (4 + random.nextInt(2));
            }
            context.upload(MemorySegment.ofArray(positions), argmax.segment());
            Tensor dx = tensor(dtype, n, 112, 112, 64);
            return () -> max.backward(context, dy, argmax, dx);
        });
        AvgPool2d average = new AvgPool2d(PoolWindow.of(2, 2, 0), true);
        long m = scaled(batch, 56L * 56 * 128 * dtype.bytes());
        double averageBytes = 1.25 * m * 56 * 56 * 128 * dtype.bytes();
        String averageName = m + "x56x56x128 kernel 2 stride 2";
        measure("avg_pool2d_forward", averageName, averageBytes, () -> {
            Tensor x = random(dtype, m, 56, 56, 128);
            Tensor y = tensor(dtype, m, 28, 28, 128);
            return () -> average.forward(context, x, y);
        });
        measure("avg_pool2d_backward", averageName, averageBytes, () -> {
            Tensor dy = random(dtype, m, 28, 28, 128);
            Tensor dx = tensor(dtype, m, 56, 56, 128);
            return () -> average.backward(context, dy, dx);
        });
        long g = scaled(batch, 49L * 2048 * dtype.bytes());
        double globalBytes = 50.0 * g * 2048 * dtype.bytes();
        measure("global_avg_pool_forward", g + "x7x7x2048", globalBytes, () -> {
            Tensor x = random(dtype, g, 7, 7, 2048);
            Tensor y = tensor(dtype, g, 2048);
            return () -> new GlobalAvgPool().forward(context, x, y);
        });
        measure("global_avg_pool_backward", g + "x7x7x2048", globalBytes, () -> {
            Tensor dy = random(dtype, g, 2048);
            Tensor dx = tensor(dtype, g, 7, 7, 2048);
            return () -> new GlobalAvgPool().backward(context, dy, dx);
        });
        AdaptiveAvgPool2d adaptive = new AdaptiveAvgPool2d(7, 7);
        long a = scaled(batch, 245L * 512 * dtype.bytes());
        double adaptiveBytes = 245.0 * a * 512 * dtype.bytes();
        measure("adaptive_avg_pool2d_forward", a + "x14x14x512 to 7x7", adaptiveBytes, () -> {
            Tensor x = random(dtype, a, 14, 14, 512);
            Tensor y = tensor(dtype, a, 7, 7, 512);
            return () -> adaptive.forward(context, x, y);
        });
        measure("adaptive_avg_pool2d_backward", a + "x14x14x512 to 7x7", adaptiveBytes, () -> {
            Tensor dy = random(dtype, a, 7, 7, 512);
            Tensor dx = tensor(dtype, a, 14, 14, 512);
            return () -> adaptive.backward(context, dy, dx);
        });
    }

    private void loss(int rows, int classes) {
        SoftmaxCrossEntropy entropy = new SoftmaxCrossEntropy(0.1f);
        String name = rows + "x" + classes;
        double bytes = (double) rows * classes * dtype.bytes();
        int[] classNumbers = Numbers.integers(1, rows, 0, classes - 1);
        measure("softmax_cross_entropy_forward", name, bytes, () -> {
            Tensor logits = random(dtype, rows, classes);
            Tensor labels = tensor(DType.I32, rows).set(classNumbers);
            Tensor loss = tensor(DType.F32);
            Tensor logSumExp = tensor(DType.F32, rows);
            return () -> entropy.forward(context, logits, labels, loss, logSumExp);
        });
        measure("softmax_cross_entropy_backward", name, 2 * bytes, () -> {
            Tensor logits = random(dtype, rows, classes);
            Tensor labels = tensor(DType.I32, rows).set(classNumbers);
            Tensor logSumExp = constant(7.4f, rows);
            Tensor dlogits = tensor(dtype, rows, classes);
            return () -> entropy.backward(context, logits, labels, logSumExp, null, dlogits);
        });
        measure("top_k_count", name + " k 5", bytes, () -> {
            Tensor logits = random(dtype, rows, classes);
            Tensor labels = tensor(DType.I32, rows).set(classNumbers);
            Tensor count = tensor(DType.I64);
            return () -> new TopK(5).count(context, logits, labels, count);
        });
    }

    /** @param transfers float32 values read and written per parameter */
    private void optimizer(String name, OptimizerAlgorithm algorithm, int transfers) {
        long count = parameters(4 * transfers);
        measure("optimizer_step", count + " " + name, 4.0 * transfers * count, () -> {
            Tensor rate = tensor(DType.F32).set(1e-6f);
            Tensor counters = tensor(DType.F64, 2);
            context.upload(MemorySegment.ofArray(new double[] {0, 1}), counters.segment());
            Tensor parameters = random(DType.F32, count);
            Tensor gradients = random(DType.F32, count);
            Tensor first = algorithm.states() > 0 ? tensor(DType.F32, count) : null;
            Tensor second = algorithm.states() > 1 ? tensor(DType.F32, count) : null;
            OptimizerStep step = new OptimizerStep(algorithm, GradientClip.NONE);
            return () -> step.step(context, rate, null, counters, parameters, gradients, first, second);
        });
    }

    private void images() {
        long n = 4L * batch;
        double pixels = 224.0 * 224 * 3 * n;
        measure("normalize_image_forward", n + "x256x256x3 to 224x224", pixels * (1 + dtype.bytes()), () -> {
            Tensor x = tensor(DType.U8, n, 256, 256, 3);
            byte[] bytes = new byte[Math.toIntExact(x.shape().elements())];
            new Random(1).nextBytes(bytes);
            context.upload(MemorySegment.ofArray(bytes), x.segment());
            Tensor placement = tensor(DType.I32, n, 3).set(Numbers.integers(1, Math.toIntExact(3 * n), 0, 31));
            Tensor y = tensor(dtype, n, 224, 224, 3);
            return () -> NormalizeImage.imageNet().forward(context, x, placement, y);
        });
    }

    // ---- Measuring
    // -------------------------------------------------------------------------------------------------------

    /** Makes the operands of an operation and returns the call to time. */
    @FunctionalInterface
    private interface Setup {
        Runnable call();
    }

    private void measure(String operation, String name, double bytes, Setup setup) {
        measure(operation, name, MemorySegment.NULL, bytes, 0, setup);
    }

    private void measure(String operation, String name, MemorySegment desc, double bytes, double flops, Setup setup) {
        try {
            Runnable call = setup.call();
            Stopwatch.Time time = stopwatch.time(call);
            report.accept(new Measurement(
                    operation,
                    dtype,
                    name,
                    context.implementation(operation, desc),
                    time.median(),
                    time.range() / time.median(),
                    time.repetitions(),
                    bytes,
                    flops,
                    limits.memoryBound(dtype, bytes, flops),
                    1e3 * limits.seconds(dtype, bytes, flops) / time.median()));
        } catch (VeluException e) {
            if (e.status() != Status.UNSUPPORTED && e.status() != Status.OUT_OF_MEMORY) {
                throw e;
            }
            notRun.accept(new NotRun(operation + " " + dtype + " " + name, e.getMessage()));
        } finally {
            release();
        }
    }

    /** The count of something of a number of bytes, multiplied or divided so that all of it is about the traffic wanted. */
    private long scaled(long count, long bytesEach) {
        double times = (double) traffic / ((double) count * bytesEach);
        return times >= 0.5 ? Math.max(1, Math.round(times)) * count : Math.max(2, Math.round(times * count));
    }

    /** As many parameters as ResNet-50's, times a whole number, or as many as the traffic allows. */
    private long parameters(int bytesEach) {
        long fits = traffic / (PARAMETERS * bytesEach);
        return fits > 0 ? fits * PARAMETERS : Math.max(1, traffic / bytesEach);
    }

    private Tensor tensor(DType type, long... sizes) {
        Tensor tensor = Tensor.allocate(context, type, sizes);
        tensors.add(tensor);
        return tensor;
    }

    /** Standard normal numbers: zeros would run faster than data does, on some GPUs by an eighth. */
    private Tensor random(DType type, long... sizes) {
        Tensor values = tensor(DType.F32, sizes);
        new RandomFill(new Initializer.Normal(0, 1), 1, tensors.size()).fill(context, values);
        if (type == DType.F32) {
            return values;
        }
        Tensor rounded = tensor(type, sizes);
        new Cast(type).forward(context, values, rounded);
        context.synchronize();
        tensors.remove(values);
        values.close();
        return rounded;
    }

    private Tensor constant(float value, long size) {
        float[] values = new float[Math.toIntExact(size)];
        Arrays.fill(values, value);
        return tensor(DType.F32, size).set(values);
    }

    private void release() {
        context.synchronize();
        tensors.forEach(Tensor::close);
        tensors.clear();
    }
}
