package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_normalize_image_desc;
import dev.velu.device.Context;
import dev.velu.graph.Binding;
import dev.velu.graph.Graph;
import dev.velu.graph.NativeCall;
import dev.velu.graph.Operation;
import dev.velu.graph.Value;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;

/**
 * Images as a network reads them, cropped or padded, maybe mirrored, and normalized: {@code y = (pixel / 255 - mean[c])
 * / std[c]}. Shapes: x U8 {@code [N, H, W, C]}, y F32 or BF16 {@code [N, outHeight, outWidth, C]}, placement I32
 * {@code [N, 3]} {top, left, mirrored} or absent.
 *
 * <p>y's pixel (row, column) is x's pixel (top + row, left + column), black where that is outside the image; where
 * mirrored is not 0 y's columns run from right to left. Without a placement every image lies at (0, 0), not mirrored.
 *
 * @param mean one finite value per channel, 1 to 4 of them
 * @param std as many, positive and finite
 */
public record NormalizeImage(List<Float> mean, List<Float> std) {
    private static final int MAX_CHANNELS = 4;

    /**
     * Checks the constants.
     *
     * @throws IllegalArgumentException if mean and standard deviation differ in length or have too many channels, are not
     *     finite, or a standard deviation is not positive
     */
    public NormalizeImage {
        mean = List.copyOf(mean);
        std = List.copyOf(std);
        if (mean.isEmpty() || mean.size() > MAX_CHANNELS || mean.size() != std.size()) {
            throw new IllegalArgumentException("mean " + mean + " and std " + std + " have " + mean.size() + " and "
                    + std.size() + " channels, expected the same number in 1.." + MAX_CHANNELS);
        }
        for (float value : mean) {
            if (!Float.isFinite(value)) {
                throw new IllegalArgumentException("mean " + mean + " holds " + value + ", which is not finite");
            }
        }
        for (float value : std) {
            if (!(value > 0 && Float.isFinite(value))) {
                throw new IllegalArgumentException(
                        "std " + std + " holds " + value + ", which is not positive and finite");
            }
        }
    }

    /** The mean and standard deviation of ImageNet, as torchvision's published weights expect. */
    public static NormalizeImage imageNet() {
        return new NormalizeImage(List.of(0.485f, 0.456f, 0.406f), List.of(0.229f, 0.224f, 0.225f));
    }

    /**
     * Height and width of y.
     *
     * @param height in pixels, zero or more
     * @param width in pixels, zero or more
     */
    public record Size(long height, long width) {
        /**
         * Checks the size.
         *
         * @throws IllegalArgumentException if a side is negative
         */
        public Size {
            if (height < 0 || width < 0) {
                throw new IllegalArgumentException("image size " + height + " x " + width + " is negative");
            }
        }
    }

    /** Records y, F32 and as large as x. */
    public Value apply(Graph graph, Value x) {
        return apply(graph, x, DType.F32);
    }

    /** Records y, as large as x. */
    public Value apply(Graph graph, Value x, DType dtype) {
        return apply(graph, x, null, null, dtype);
    }

    /**
     * Records y.
     *
     * @param placement may be null
     * @param size of y, or null for that of x
     * @param dtype of y, F32 or BF16
     */
    public Value apply(Graph graph, Value x, Value placement, Size size, DType dtype) {
        return graph.apply(new Forward(this, size, dtype), x, placement).getFirst();
    }

    /** y, F32 or BF16 and as large as x, at once. */
    public void forward(Context context, Tensor x, Tensor y) {
        Eager.run(context, new Forward(this, null, y.dtype()), Arrays.asList(x, null), List.of(y));
    }

    /** y, F32 or BF16 and of its own size, at once. placement may be null. */
    public void forward(Context context, Tensor x, Tensor placement, Tensor y) {
        Size size =
                y.shape().rank() == 4 ? new Size(y.shape().size(1), y.shape().size(2)) : null;
        Eager.run(context, new Forward(this, size, y.dtype()), Arrays.asList(x, placement), List.of(y));
    }

    /** Inputs x, placement or null; output y of a size (null for that of x) and a dtype. It has no gradient. */
    record Forward(NormalizeImage normalize, Size size, DType dtype) implements Operation {
        @Override
        public String name() {
            return "normalize_image_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = Types.present(name(), inputs, 0, "x");
            int channels = normalize.mean.size();
            if (x.dtype() != DType.U8 || x.shape().rank() != 4 || x.shape().size(3) != channels) {
                throw new IllegalArgumentException(
                        name() + ": x is " + x + ", expected U8 [N, H, W, " + channels + "]");
            }
            if (!Types.isFloating(dtype)) {
                throw new IllegalArgumentException(name() + ": y has dtype " + dtype + ", expected F32 or BF16");
            }
            long batch = x.shape().size(0);
            Types.optional(name(), inputs, 1, "placement", DType.I32, batch, 3);
            Shape y = size == null ? x.shape() : Shape.of(batch, size.height(), size.width(), channels);
            return List.of(new TensorType(dtype, y));
        }

        @Override
        public NativeCall bind(Binding b) {
            Shape in = b.inputType(0).shape();
            Shape out = b.outputType(0).shape();
            MemorySegment desc = velu_normalize_image_desc.allocate(b.arena());
            velu_normalize_image_desc.device(desc, b.device());
            velu_normalize_image_desc.dtype(desc, dtype.code());
            velu_normalize_image_desc.batch(desc, in.size(0));
            velu_normalize_image_desc.height(desc, in.size(1));
            velu_normalize_image_desc.width(desc, in.size(2));
            velu_normalize_image_desc.channels(desc, in.size(3));
            velu_normalize_image_desc.out_height(desc, out.size(1));
            velu_normalize_image_desc.out_width(desc, out.size(2));
            // Not the generated setters of single elements: they forget the offset of the field.
            MemorySegment mean = velu_normalize_image_desc.mean(desc);
            MemorySegment std = velu_normalize_image_desc.std(desc);
            for (int c = 0; c < MAX_CHANNELS; c++) {
                boolean used = c < normalize.mean.size();
                mean.setAtIndex(ValueLayout.JAVA_FLOAT, c, used ? normalize.mean.get(c) : 0);
                std.setAtIndex(ValueLayout.JAVA_FLOAT, c, used ? normalize.std.get(c) : 1);
            }
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment placement = b.input(1);
            MemorySegment y = b.output(0);
            return () -> VeluNative.velu_normalize_image_forward(context, desc, x, placement, y);
        }
    }
}
