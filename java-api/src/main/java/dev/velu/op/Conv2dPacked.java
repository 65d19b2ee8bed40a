package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.device.Context;
import dev.velu.graph.Binding;
import dev.velu.graph.NativeCall;
import dev.velu.graph.Node;
import dev.velu.graph.Operation;
import dev.velu.graph.Packing;
import dev.velu.graph.Value;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;

/**
 * A {@link Conv2d} for inference, whose weight is scaled and laid out once as the implementation wants it: {@code y = f(conv(x,
 * scale weight) + scale bias + shift + residual)}. scale and shift are {@code [O]} F32, those of a {@link BatchNorm.Fold}, or
 * absent for 1 and 0; the residual is of the type of y, or absent. Shapes are those of {@link Conv2d}; the weight is F32 whatever
 * x is. What is packed is of type U8, for one type of x and contexts of the same kind, threads and instruction set.
 *
 * @param weight shape of the weight, {@code [O, kernelHeight, kernelWidth, C / groups]}
 */
public record Conv2dPacked(Conv2d conv, Shape weight) {
    /** The type of the packed weight for this x. */
    public TensorType packedType(Context context, TensorType x) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = desc(arena, context.device().kind().ordinal(), x, y(x), null);
            MemorySegment bytes = arena.allocate(ValueLayout.JAVA_LONG);
            context.check(
                    VeluNative.velu_conv2d_packed_bytes(context.handle(), desc, bytes), "velu_conv2d_packed_bytes");
            return new TensorType(DType.U8, Shape.of(bytes.get(ValueLayout.JAVA_LONG, 0)));
        }
    }

    /** Stores the packed weight and bias, at once. bias, scale and shift may be null. */
    public void pack(
            Context context,
            TensorType x,
            Tensor plain,
            Tensor bias,
            Tensor scale,
            Tensor shift,
            Tensor packed,
            Tensor packedBias) {
        Eager.run(
                context,
                new Pack(this, x, packed.type()),
                Arrays.asList(plain, bias, scale, shift),
                List.of(packed, packedBias));
    }

    /** y, at once. residual and activation may be null; y may be residual. */
    public void forward(
            Context context,
            Tensor x,
            Tensor packed,
            Tensor packedBias,
            Tensor residual,
            Pointwise activation,
            Tensor y) {
        Eager.run(context, new Forward(this, activation), Arrays.asList(x, packed, packedBias, residual), List.of(y));
    }

    /**
     * The packed form of a recorded convolution of a parameter, with the batch norm that follows it taken in; null where the
     * weight is computed.
     */
    static Operation.Fused of(Conv2d conv, Pointwise activation, Node self, Node next, Packing packing) {
        Value x = self.input(0);
        Value plain = Cast.source(self.input(1));
        Value bias = self.input(2);
        if (plain.parameter() == null
                || bias != null && bias.parameter() == null
                || x.type().bytes() == 0) {
            return null;
        }
        List<Value> scaleAndShift = activation == null ? BatchNorm.fold(self.output(0), next, packing) : null;
        Conv2dPacked form = new Conv2dPacked(conv, plain.type().shape());
        Operation pack = new Pack(form, x.type(), form.packedType(packing.context(), x.type()));
        List<Value> packed = scaleAndShift == null
                ? packing.prepare(pack, plain, bias, null, null)
                : packing.prepare(pack, plain, bias, scaleAndShift.get(0), scaleAndShift.get(1));
        return new Operation.Fused(
                new Forward(form, activation),
                Arrays.asList(x, packed.get(0), packed.get(1), null),
                List.of(scaleAndShift == null ? self.output(0) : next.output(0)));
    }

    private TensorType y(TensorType x) {
        return new TensorType(x.dtype(), conv.outputShape("conv2d_packed_forward", x.shape(), weight));
    }

    private MemorySegment desc(Arena arena, int device, TensorType x, TensorType y, Pointwise activation) {
        return conv.desc(arena, device, x.shape(), weight, y, activation);
    }

    /** Inputs weight, bias or null, scale or null, shift or null, all F32; outputs the packed weight, U8, and bias, F32. */
    record Pack(Conv2dPacked form, TensorType x, TensorType packed) implements Operation {
        @Override
        public String name() {
            return "conv2d_pack";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            long channels = form.weight.size(0);
            Types.like(name(), inputs, 0, "weight", new TensorType(DType.F32, form.weight));
            Types.optional(name(), inputs, 1, "bias", DType.F32, channels);
            Types.optional(name(), inputs, 2, "scale", DType.F32, channels);
            Types.optional(name(), inputs, 3, "shift", DType.F32, channels);
            return List.of(packed, TensorType.f32(channels));
        }

        @Override
        public NativeCall bind(Binding b) {
            if (!packed.equals(form.packedType(b.context(), x))) {
                throw new IllegalArgumentException(name() + ": packed is " + packed + ", expected "
                        + form.packedType(b.context(), x) + " for x " + x);
            }
            MemorySegment desc = form.desc(b.arena(), b.device(), x, form.y(x), null);
            MemorySegment context = b.context().handle();
            MemorySegment weight = b.input(0);
            MemorySegment bias = b.input(1);
            MemorySegment scale = b.input(2);
            MemorySegment shift = b.input(3);
            MemorySegment stored = b.output(0);
            MemorySegment storedBias = b.output(1);
            return () -> VeluNative.velu_conv2d_pack(context, desc, weight, bias, scale, shift, stored, storedBias);
        }
    }

    /** Inputs x, packed weight, packed bias, residual or null; output y, to which the activation, or null, is applied. */
    record Forward(Conv2dPacked form, Pointwise activation) implements Operation {
        @Override
        public String name() {
            return "conv2d_packed_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = Types.floating(name(), inputs, 0, "x", 4);
            TensorType packed = Types.present(name(), inputs, 1, "packed");
            Types.exactly(name(), inputs, 1, "packed", DType.U8, packed.shape().elements());
            Types.exactly(name(), inputs, 2, "packedBias", DType.F32, form.weight.size(0));
            TensorType y = form.y(x);
            Types.optionalLike(name(), inputs, 3, "residual", y);
            return List.of(y);
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = form.desc(b.arena(), b.device(), b.inputType(0), b.outputType(0), activation);
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment packed = b.input(1);
            MemorySegment bias = b.input(2);
            MemorySegment residual = b.input(3);
            MemorySegment y = b.output(0);
            return () -> VeluNative.velu_conv2d_packed_forward(context, desc, x, packed, bias, residual, y);
        }

        @Override
        public void prepare(Context context, List<TensorType> inputs, List<TensorType> outputs) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment desc =
                        form.desc(arena, context.device().kind().ordinal(), inputs.get(0), outputs.get(0), activation);
                context.check(
                        VeluNative.velu_conv2d_packed_prepare(context.handle(), desc, inputs.get(3) == null ? 0 : 1),
                        "velu_conv2d_packed_prepare");
            }
        }

        @Override
        public boolean writesPitched(int output) {
            return output == 0;
        }

        @Override
        public List<Alias> inPlace() {
            return List.of(new Alias(3, 0));
        }

        @Override
        public Fused fuse(Node self, Node next, boolean differentiated) {
            if (activation != null) {
                return null;
            }
            return switch (next.operation()) {
                case Add.Forward add -> withResidual(self, next);
                case Activation.Forward pointwise ->
                    new Fused(new Forward(form, pointwise.function()), self.inputs(), next.outputs());
                default -> null;
            };
        }

        private Fused withResidual(Node self, Node add) {
            Value y = self.output(0);
            Value residual = add.input(0) == y ? add.input(1) : add.input(0);
            return self.input(3) != null || residual == y
                    ? null
                    : new Fused(
                            this, Arrays.asList(self.input(0), self.input(1), self.input(2), residual), add.outputs());
        }

        @Override
        public long macs(List<TensorType> inputs, List<TensorType> outputs) {
            return Conv2d.macs(outputs.get(0).shape(), form.weight);
        }

        @Override
        public long bytes(List<TensorType> inputs, List<TensorType> outputs) {
            TensorType x = inputs.get(0);
            return Operation.super.bytes(inputs, outputs) - Operation.bytes(x) + form.conv.coveredBytes(x, form.weight);
        }
    }
}
