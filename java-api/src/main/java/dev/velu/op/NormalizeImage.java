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
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * Images as a network reads them: {@code y = (x / 255 - mean[c]) / std[c]}, x U8 {@code [N, H, W, C]}, y F32 of the
 * same shape.
 *
 * @param mean one finite value per channel, 1 to 4 of them
 * @param std as many, positive and finite
 */
public record NormalizeImage(List<Float> mean, List<Float> std) {
    private static final int MAX_CHANNELS = 4;

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

    /** Records y. */
    public Value apply(Graph graph, Value x) {
        return graph.apply(new Forward(this), x).getFirst();
    }

    /** y, at once. */
    public void forward(Context context, Tensor x, Tensor y) {
        Eager.run(context, new Forward(this), List.of(x), List.of(y));
    }

    /** Input x; output y. It has no gradient. */
    record Forward(NormalizeImage normalize) implements Operation {
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
            return List.of(new TensorType(DType.F32, x.shape()));
        }

        @Override
        public NativeCall bind(Binding b) {
            TensorType type = b.inputType(0);
            MemorySegment desc = velu_normalize_image_desc.allocate(b.arena());
            velu_normalize_image_desc.device(desc, b.device());
            velu_normalize_image_desc.dtype(desc, b.outputType(0).dtype().code());
            velu_normalize_image_desc.batch(desc, type.shape().size(0));
            velu_normalize_image_desc.height(desc, type.shape().size(1));
            velu_normalize_image_desc.width(desc, type.shape().size(2));
            velu_normalize_image_desc.channels(desc, type.shape().size(3));
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
            MemorySegment y = b.output(0);
            return () -> VeluNative.velu_normalize_image_forward(context, desc, x, y);
        }
    }
}
