package dev.velu.op;

import static dev.velu.op.HostTensor.data;
import static dev.velu.op.HostTensor.fixed;
import static dev.velu.op.HostTensor.labels;
import static dev.velu.op.HostTensor.positive;
import static dev.velu.op.HostTensor.scalar;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import dev.velu.device.Context;
import dev.velu.graph.Operation;
import dev.velu.optim.GradientClip;
import dev.velu.optim.OptimizerAlgorithm;
import dev.velu.tensor.BFloat16;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Every operation on BF16 tensors against itself on F32 tensors of the same values. */
abstract class BFloat16Operations {
    private static final Velu VELU = new Velu(VeluParameters.released(), 0.1f);
    private static final Velu CURVE = new Velu(VeluParameters.curve(), 0);
    private static final BatchNorm NORM = BatchNorm.defaults();
    private static final BatchNorm NORM_VELU = NORM.with(VeluParameters.released(), 0.1f);
    private static final BatchNorm NORM_SILU = NORM.with(Pointwise.SILU, 0);
    private static final Conv2d CONVOLUTION = Conv2d.of(2, 1);
    private static final Conv2d DEPTHWISE = new Conv2d(1, 1, 1, 1, 1, 1, 8);
    private static final MaxPool2d MAX_POOL = MaxPool2d.of(3, 2, 1);
    private static final AvgPool2d AVG_POOL = new AvgPool2d(PoolWindow.of(3, 2, 1), false);
    private static final AdaptiveAvgPool2d ADAPTIVE_POOL = new AdaptiveAvgPool2d(4, 5);
    private static final Dropout STOCHASTIC_DEPTH = new Dropout(0.3f, 5, 1, Dropout.Mode.ROW);
    private static final Dropout DROPOUT = new Dropout(0.3f, 5, 1, Dropout.Mode.ELEMENT);
    private static final SoftmaxCrossEntropy LOSS = new SoftmaxCrossEntropy(0.1f);
    private static final HostTensor STEP =
            HostTensor.of(new TensorType(DType.I64, Shape.of()), MemorySegment.ofArray(new long[] {3}));
    private static final HostTensor LABELS = labels(0, 12, -1, 4, 7);
    private static final HostTensor OTHER_LABELS = labels(3, 2, 5, 12, 0);

    @AutoClose
    private final Context context = open();

    /** A context on the device under test; skips the test where there is none. */
    abstract Context open();

    /** An operation with its inputs; null for absent ones. */
    private record Case(Operation operation, BFloat16Tolerance tolerance, List<HostTensor> inputs) {
        static Case of(Operation operation, BFloat16Tolerance tolerance, HostTensor... inputs) {
            return new Case(operation, tolerance, Arrays.asList(inputs));
        }

        @Override
        public String toString() {
            return operation.name() + " of "
                    + inputs.stream()
                            .map(x -> x == null ? "none" : x.type().toString())
                            .toList();
        }
    }

    static Stream<Case> cases() {
        return Stream.of(
                        elementwise(),
                        rows(),
                        convolutions(),
                        transformers(),
                        pooling(),
                        losses(),
                        sites(),
                        optimizers())
                .flatMap(List::stream);
    }

    private static List<Case> elementwise() {
        HostTensor x = data(1, 7, 13);
        HostTensor dy = data(2, 7, 13);
        List<Case> cases = new ArrayList<>();
        for (Pointwise function : Pointwise.values()) {
            BFloat16Tolerance tolerance = function == Pointwise.RELU || function == Pointwise.RELU6
                    ? BFloat16Tolerance.EXACT
                    : BFloat16Tolerance.SHORT_POLYNOMIALS;
            cases.add(Case.of(new Activation.Forward(function), tolerance, x));
            cases.add(Case.of(new Activation.Backward(function), tolerance, x, dy));
        }
        cases.add(Case.of(new Add.Forward(), BFloat16Tolerance.EXACT, x, dy));
        cases.add(Case.of(new Cast.Forward(DType.F32), BFloat16Tolerance.EXACT, x));
        cases.add(Case.of(new Cast.Forward(DType.BF16), BFloat16Tolerance.EXACT, x));
        cases.add(Case.of(new Transpose.Forward(Transpose.nchwToNhwc()), BFloat16Tolerance.EXACT, data(3, 2, 5, 7, 3)));
        cases.add(Case.of(new Dropout.Forward(DROPOUT), BFloat16Tolerance.EXACT, x, STEP));
        cases.add(Case.of(new Dropout.Backward(DROPOUT), BFloat16Tolerance.EXACT, dy, STEP));
        cases.add(Case.of(new Dropout.Forward(STOCHASTIC_DEPTH), BFloat16Tolerance.EXACT, x, STEP));
        cases.add(Case.of(new Dropout.Backward(STOCHASTIC_DEPTH), BFloat16Tolerance.EXACT, dy, STEP));
        HostTensor tokens = data(4, 3, 5, 13);
        cases.add(Case.of(new FirstToken.Forward(), BFloat16Tolerance.EXACT, tokens));
        cases.add(Case.of(new FirstToken.Backward(tokens.type().shape()), BFloat16Tolerance.EXACT, data(5, 3, 13)));
        HostTensor images = data(6, 2, 5, 7, 13);
        HostTensor scale = data(7, 2, 1, 1, 13);
        cases.add(Case.of(new ChannelScale.Forward(), BFloat16Tolerance.EXACT, images, scale));
        cases.add(Case.of(new ChannelScale.Backward(), BFloat16Tolerance.SUM, images, scale, data(8, 2, 5, 7, 13)));
        return cases;
    }

    private static List<Case> rows() {
        List<Case> cases = new ArrayList<>();
        HostTensor lambda = scalar(0.75f);
        // Few channels and many; 13 leaves the last lane and the alignment to 16 bytes short.
        for (long channels : new long[] {1, 13, 64, 520}) {
            HostTensor x = data(11, 9, channels);
            HostTensor dy = data(12, 9, channels);
            HostTensor residual = data(13, 9, channels);
            HostTensor weight = fixed(14, channels);
            HostTensor bias = fixed(15, channels);
            HostTensor mean = fixed(16, channels);
            HostTensor var = positive(17, channels);
            HostTensor moments = new HostTensor(Velu.MOMENTS, false, new float[] {0.1f, 0.5f, 0.26f}, null);
            for (Velu velu : List.of(VELU, CURVE)) {
                cases.add(Case.of(new Velu.Forward(velu, true), BFloat16Tolerance.SHORT_POLYNOMIALS, x, lambda));
                cases.add(Case.of(
                        new Velu.Backward(velu, true), BFloat16Tolerance.SHORT_POLYNOMIALS, x, dy, lambda, moments));
            }
            cases.add(Case.of(
                    new BatchNorm.ForwardTraining(NORM, false),
                    BFloat16Tolerance.SUM,
                    x,
                    weight,
                    bias,
                    null,
                    null,
                    mean,
                    var,
                    STEP));
            cases.add(Case.of(
                    new BatchNorm.ForwardTraining(NORM_VELU, true),
                    BFloat16Tolerance.SHORT_POLYNOMIALS,
                    x,
                    weight,
                    bias,
                    residual,
                    lambda,
                    mean,
                    var,
                    STEP));
            cases.add(Case.of(
                    new BatchNorm.ForwardInference(NORM_SILU, false),
                    BFloat16Tolerance.SHORT_POLYNOMIALS,
                    x,
                    weight,
                    bias,
                    residual,
                    null,
                    mean,
                    var));
            cases.add(Case.of(
                    new BatchNorm.Backward(NORM, false),
                    BFloat16Tolerance.SUM,
                    x,
                    dy,
                    weight,
                    bias,
                    null,
                    null,
                    mean,
                    var,
                    null,
                    null));
            cases.add(Case.of(
                    new BatchNorm.Backward(NORM_VELU, true),
                    BFloat16Tolerance.STORED_BETWEEN_PASSES,
                    x,
                    dy,
                    weight,
                    bias,
                    residual,
                    lambda,
                    mean,
                    var,
                    moments,
                    residual));
        }
        return cases;
    }

    private static List<Case> convolutions() {
        List<Case> cases = new ArrayList<>();
        HostTensor x = data(21, 2, 7, 6, 8);
        HostTensor weight = data(22, 16, 3, 3, 8);
        HostTensor bias = fixed(23, 16);
        HostTensor dy = data(24, 2, 4, 3, 16);
        cases.add(Case.of(new Conv2d.Forward(CONVOLUTION), BFloat16Tolerance.SUM, x, weight, bias));
        cases.add(Case.of(new Conv2d.BackwardData(CONVOLUTION, x.type().shape()), BFloat16Tolerance.SUM, dy, weight));
        cases.add(Case.of(
                new Conv2d.BackwardWeights(CONVOLUTION, weight.type().shape(), true), BFloat16Tolerance.SUM, x, dy));
        HostTensor filters = data(25, 8, 3, 3, 1);
        HostTensor same = data(26, 2, 7, 6, 8);
        cases.add(Case.of(new Conv2d.Forward(DEPTHWISE), BFloat16Tolerance.SUM, x, filters, null));
        cases.add(Case.of(new Conv2d.BackwardData(DEPTHWISE, x.type().shape()), BFloat16Tolerance.SUM, same, filters));
        cases.add(Case.of(
                new Conv2d.BackwardWeights(DEPTHWISE, filters.type().shape(), false), BFloat16Tolerance.SUM, x, same));
        HostTensor rows = data(27, 5, 24);
        HostTensor matrix = data(28, 16, 24);
        HostTensor products = data(29, 5, 16);
        cases.add(Case.of(new Linear.Forward(), BFloat16Tolerance.SUM, rows, matrix, bias));
        cases.add(Case.of(new Conv2d.Forward(CONVOLUTION, Pointwise.RELU), BFloat16Tolerance.SUM, x, weight, bias));
        cases.add(Case.of(
                new Conv2d.Forward(DEPTHWISE, Pointwise.SILU),
                BFloat16Tolerance.STORED_BETWEEN_PASSES,
                x,
                filters,
                null));
        cases.add(Case.of(
                new Linear.Forward(Pointwise.GELU), BFloat16Tolerance.STORED_BETWEEN_PASSES, rows, matrix, bias));
        HostTensor scale = data(34, 2, 1, 1, 8);
        HostTensor projection = data(35, 5, 1, 1, 8);
        HostTensor projected = data(36, 2, 7, 6, 5);
        cases.add(Case.of(new ScaledLinear.Forward(), BFloat16Tolerance.STORED_BETWEEN_PASSES, x, scale, projection));
        cases.add(Case.of(
                new ScaledLinear.BackwardData(),
                BFloat16Tolerance.STORED_BETWEEN_PASSES,
                x,
                scale,
                projected,
                projection));
        cases.add(Case.of(
                new ScaledLinear.BackwardWeights(), BFloat16Tolerance.STORED_BETWEEN_PASSES, x, scale, projected));
        cases.add(Case.of(new Linear.BackwardData(), BFloat16Tolerance.SUM, products, matrix));
        cases.add(Case.of(new Linear.BackwardWeights(true), BFloat16Tolerance.SUM, rows, products));
        return cases;
    }

    private static List<Case> transformers() {
        List<Case> cases = new ArrayList<>();
        HostTensor qkv = data(61, 2, 7, 3 * 12);
        HostTensor y = data(62, 2, 7, 12);
        HostTensor dy = data(63, 2, 7, 12);
        Attention attention = new Attention(3);
        cases.add(Case.of(new Attention.Forward(attention, true), BFloat16Tolerance.SHORT_POLYNOMIALS, qkv));
        cases.add(Case.of(
                new Attention.Backward(attention),
                BFloat16Tolerance.SHORT_POLYNOMIALS,
                qkv,
                y,
                dy,
                fixed(64, 2, 3, 7)));
        HostTensor patches = data(65, 2, 6, 12);
        cases.add(Case.of(
                new TokenEmbedding.Forward(),
                BFloat16Tolerance.EXACT,
                patches,
                fixed(66, 1, 1, 12),
                fixed(67, 1, 7, 12)));
        cases.add(Case.of(new TokenEmbedding.Backward(), BFloat16Tolerance.SUM, dy));
        LayerNorm norm = new LayerNorm(1e-6f);
        for (long channels : new long[] {1, 13, 64, 520}) {
            HostTensor x = data(71, 9, channels);
            HostTensor other = data(72, 9, channels);
            HostTensor gradient = data(73, 9, channels);
            HostTensor weight = fixed(74, channels);
            HostTensor bias = fixed(75, channels);
            cases.add(Case.of(new LayerNorm.Forward(norm, true), BFloat16Tolerance.SUM, x, null, weight, bias));
            if (channels > 1) {
                cases.add(Case.of(
                        new LayerNorm.Forward(norm, true),
                        BFloat16Tolerance.STORED_BETWEEN_PASSES,
                        x,
                        other,
                        weight,
                        bias));
            }
            cases.add(Case.of(
                    new LayerNorm.Backward(norm),
                    BFloat16Tolerance.SUM,
                    x,
                    gradient,
                    other,
                    weight,
                    fixed(76, 9),
                    positive(77, 9)));
        }
        return cases;
    }

    private static List<Case> pooling() {
        HostTensor x = data(31, 2, 7, 9, 13);
        HostTensor dy = data(32, 2, 4, 5, 13);
        byte[] positions = new byte[dy.values().length];
        for (int i = 0; i < positions.length; i++) {
            // The middle of the window, inside the image wherever the window is.
            positions[i] = 4;
        }
        HostTensor argmax =
                HostTensor.of(new TensorType(DType.U8, dy.type().shape()), MemorySegment.ofArray(positions));
        return List.of(
                Case.of(new MaxPool2d.Forward(MAX_POOL, true), BFloat16Tolerance.EXACT, x),
                Case.of(new MaxPool2d.Backward(MAX_POOL, x.type().shape()), BFloat16Tolerance.EXACT, dy, argmax),
                Case.of(new AvgPool2d.Forward(AVG_POOL), BFloat16Tolerance.SUM, x),
                Case.of(new AvgPool2d.Backward(AVG_POOL, x.type().shape()), BFloat16Tolerance.SUM, dy),
                Case.of(new AdaptiveAvgPool2d.Forward(ADAPTIVE_POOL), BFloat16Tolerance.SUM, x),
                Case.of(
                        new AdaptiveAvgPool2d.Backward(ADAPTIVE_POOL, x.type().shape()),
                        BFloat16Tolerance.SUM,
                        data(34, 2, 4, 5, 13)),
                Case.of(new GlobalAvgPool.Forward(), BFloat16Tolerance.SUM, x),
                Case.of(new GlobalAvgPool.Backward(x.type().shape()), BFloat16Tolerance.SUM, data(33, 2, 13)));
    }

    private static List<Case> losses() {
        HostTensor logits = data(41, 5, 13);
        HostTensor logSumExp = fixed(42, 5);
        HostTensor shares = HostTensor.exactly(1f, 0.25f, 0.5f, 0f, 0.75f);
        return List.of(
                Case.of(new SoftmaxCrossEntropy.Forward(LOSS), BFloat16Tolerance.SUM, logits, LABELS, null, null),
                Case.of(
                        new SoftmaxCrossEntropy.Backward(LOSS),
                        BFloat16Tolerance.SUM,
                        logits,
                        LABELS,
                        null,
                        null,
                        logSumExp,
                        scalar(1.5f)),
                Case.of(
                        new SoftmaxCrossEntropy.Forward(LOSS),
                        BFloat16Tolerance.SUM,
                        logits,
                        LABELS,
                        OTHER_LABELS,
                        shares),
                Case.of(
                        new SoftmaxCrossEntropy.Backward(LOSS),
                        BFloat16Tolerance.SUM,
                        logits,
                        LABELS,
                        OTHER_LABELS,
                        shares,
                        logSumExp,
                        scalar(1.5f)),
                Case.of(new TopK.Count(1), BFloat16Tolerance.EXACT, logits, LABELS),
                Case.of(new TopK.Count(5), BFloat16Tolerance.EXACT, logits, LABELS));
    }

    private static List<Case> sites() {
        HostTensor a = data(43, 6, 33);
        HostTensor dy = data(44, 6, 33);
        List<Case> cases = new ArrayList<>();
        for (W2 kind : W2.values()) {
            Wasserstein wasserstein = new Wasserstein(kind, 0.1f);
            HostTensor saved =
                    positive(45, wasserstein.savedType(a.type()).shape().toArray());
            cases.add(
                    Case.of(new Wasserstein.Forward(wasserstein, true, true), BFloat16Tolerance.SUM, a, scalar(1.5f)));
            cases.add(Case.of(
                    new Wasserstein.Backward(wasserstein, true), BFloat16Tolerance.SUM, a, dy, scalar(1.5f), saved));
        }
        cases.add(Case.of(
                new ActivationStatistics(VeluParameters.released()), BFloat16Tolerance.SUM, a, dy, scalar(1.5f)));
        return cases;
    }

    private static List<Case> optimizers() {
        HostTensor counters =
                HostTensor.of(new TensorType(DType.F64, Shape.of(2)), MemorySegment.ofArray(new double[] {0, 1}));
        HostTensor rate = scalar(0.01f);
        HostTensor parameters = fixed(51, 37);
        HostTensor gradients = data(52, 37);
        HostTensor zeros = new HostTensor(TensorType.f32(37), false, new float[37], null);
        return List.of(
                Case.of(
                        new OptimizerStep(OptimizerAlgorithm.Adam.defaults(), new GradientClip(0.5f, 2)),
                        BFloat16Tolerance.SUM,
                        rate,
                        scalar(3),
                        counters,
                        parameters,
                        gradients,
                        zeros,
                        zeros),
                Case.of(
                        new OptimizerStep(new OptimizerAlgorithm.Sgd(0.9f, true, 0.01f), new GradientClip(0, 0)),
                        BFloat16Tolerance.SUM,
                        rate,
                        null,
                        counters,
                        parameters,
                        gradients,
                        zeros,
                        null),
                Case.of(new GradientNorm(), BFloat16Tolerance.SUM, gradients));
    }

    /** What a run leaves: its inputs, of which some are updated, and its outputs. */
    private List<HostTensor> run(Case of, DType dtype) {
        List<Tensor> inputs = new ArrayList<>();
        for (HostTensor input : of.inputs()) {
            inputs.add(input == null ? null : input.upload(context, dtype));
        }
        List<TensorType> types = new ArrayList<>();
        inputs.forEach(input -> types.add(input == null ? null : input.type()));
        of.operation().prepare(context, types, of.operation().infer(types));
        List<Tensor> outputs = new ArrayList<>();
        for (TensorType type : of.operation().infer(types)) {
            outputs.add(type == null ? null : Tensor.allocate(context, type));
        }
        Eager.run(context, of.operation(), inputs, outputs);
        List<HostTensor> left = new ArrayList<>();
        for (Tensor tensor : inputs) {
            left.add(tensor == null ? null : HostTensor.download(tensor));
        }
        for (Tensor tensor : outputs) {
            left.add(tensor == null ? null : HostTensor.download(tensor));
        }
        return left;
    }

    @ParameterizedTest
    @MethodSource("cases")
    void givesTheFloat32ResultRounded(Case of) {
        List<HostTensor> wide = run(of, DType.F32);
        List<HostTensor> narrow = run(of, DType.BF16);
        for (int i = 0; i < wide.size(); i++) {
            if (wide.get(i) != null) {
                compare("tensor " + i, wide.get(i), narrow.get(i), of.tolerance());
            }
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "BF16"})
    void anImageIsNormalizedAndRoundedOnce(DType dtype) {
        byte[] pixels = new byte[2 * 5 * 6 * 3];
        for (int i = 0; i < pixels.length; i++) {
            pixels[i] = (byte) (i * 37);
        }
        Tensor x = Tensor.allocate(context, DType.U8, 2, 5, 6, 3);
        context.upload(MemorySegment.ofArray(pixels), x.segment());
        Tensor placement = Tensor.allocate(context, DType.I32, 2, 3).set(1, 1, 0, -1, 2, 1);
        Tensor wide = Tensor.allocate(context, DType.F32, 2, 4, 4, 3);
        Tensor y = Tensor.allocate(context, dtype, 2, 4, 4, 3);
        NormalizeImage.imageNet().forward(context, x, placement, wide);
        NormalizeImage.imageNet().forward(context, x, placement, y);
        compare("y", HostTensor.download(wide), HostTensor.download(y), BFloat16Tolerance.EXACT);
    }

    private static void compare(String name, HostTensor wide, HostTensor narrow, BFloat16Tolerance tolerance) {
        if (wide.values() == null) {
            assertThat(narrow.bytes()).as(name).isEqualTo(wide.bytes());
            return;
        }
        double largest = 0;
        for (float value : wide.values()) {
            largest = Math.max(largest, Math.abs(value));
        }
        boolean rounded = narrow.type().dtype() == DType.BF16;
        for (int i = 0; i < wide.values().length; i++) {
            float expected = wide.values()[i];
            float actual = narrow.values()[i];
            if (rounded && neighbours(BFloat16.of(expected), BFloat16.of(actual)) <= tolerance.neighbours()) {
                continue;
            }
            if (!(Math.abs((double) actual - expected) <= tolerance.ofLargest() * largest)) {
                fail("%s: element %d is %s, expected %s of largest %s", name, i, actual, expected, largest);
            }
        }
    }

    /** How many steps two bfloat16 are apart, in the order of their values. */
    private static int neighbours(short a, short b) {
        return Math.abs(ordered(a) - ordered(b));
    }

    private static int ordered(short bits) {
        return bits >= 0 ? bits : Short.MIN_VALUE - bits;
    }
}
