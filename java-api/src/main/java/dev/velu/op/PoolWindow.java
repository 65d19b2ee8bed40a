package dev.velu.op;

import dev.velu.bindings.velu_pool2d_desc;
import dev.velu.graph.Binding;
import dev.velu.onnx.Attribute;
import dev.velu.tensor.Shape;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;

/**
 * The window of a 2-D pooling: x {@code [N, H, W, C]} gives y {@code [N, H', W', C]} with
 * {@code H' = (H + 2 padding - kernel) / stride + 1}, rounded down.
 *
 * <p>Sizes and strides are positive; padding is at most half the kernel (torch's rule).
 */
public record PoolWindow(
        int kernelHeight, int kernelWidth, int strideHeight, int strideWidth, int paddingHeight, int paddingWidth) {
    /**
     * Checks the constants.
     *
     * @throws IllegalArgumentException if a size or a stride is not positive, or a padding is negative or above half
     *     the kernel
     */
    public PoolWindow {
        if (Math.min(kernelHeight, kernelWidth) < 1) {
            throw new IllegalArgumentException(
                    "pooling kernel " + kernelHeight + " x " + kernelWidth + " is not positive");
        }
        if (Math.min(strideHeight, strideWidth) < 1) {
            throw new IllegalArgumentException(
                    "pooling stride " + strideHeight + " x " + strideWidth + " is not positive");
        }
        if (paddingHeight < 0
                || paddingWidth < 0
                || paddingHeight > kernelHeight / 2
                || paddingWidth > kernelWidth / 2) {
            throw new IllegalArgumentException("pooling padding " + paddingHeight + " x " + paddingWidth
                    + " is not between zero and half the kernel " + kernelHeight + " x " + kernelWidth);
        }
    }

    /** A square window. */
    public static PoolWindow of(int kernel, int stride, int padding) {
        return new PoolWindow(kernel, kernel, stride, stride, padding, padding);
    }

    /** The shape of y. */
    Shape outputShape(String operation, Shape x) {
        if (x.rank() != 4 || Math.min(x.size(1), Math.min(x.size(2), x.size(3))) < 1) {
            throw new IllegalArgumentException(
                    operation + ": x has shape " + x + ", expected [N, H, W, C] with pixels");
        }
        long height = Math.floorDiv(x.size(1) + 2L * paddingHeight - kernelHeight, strideHeight) + 1;
        long width = Math.floorDiv(x.size(2) + 2L * paddingWidth - kernelWidth, strideWidth) + 1;
        if (height < 1 || width < 1) {
            throw new IllegalArgumentException(operation + ": x " + x + " is smaller than the kernel " + kernelHeight
                    + " x " + kernelWidth + " with padding " + paddingHeight + " x " + paddingWidth);
        }
        return Shape.of(x.size(0), height, width, x.size(3));
    }

    Attribute[] toOnnx() {
        return new Attribute[] {
            new Attribute.Ints("kernel_shape", kernelHeight, kernelWidth),
            new Attribute.Ints("strides", strideHeight, strideWidth),
            new Attribute.Ints("pads", paddingHeight, paddingWidth, paddingHeight, paddingWidth)
        };
    }

    /** @param y type of y, or of dy, with its pitch */
    MemorySegment desc(Binding b, TensorType y, Shape x, boolean countIncludePad) {
        MemorySegment desc = velu_pool2d_desc.allocate(b.arena());
        velu_pool2d_desc.device(desc, b.device());
        velu_pool2d_desc.dtype(desc, y.dtype().code());
        velu_pool2d_desc.batch(desc, x.size(0));
        velu_pool2d_desc.in_height(desc, x.size(1));
        velu_pool2d_desc.in_width(desc, x.size(2));
        velu_pool2d_desc.channels(desc, x.size(3));
        velu_pool2d_desc.kernel_height(desc, kernelHeight);
        velu_pool2d_desc.kernel_width(desc, kernelWidth);
        velu_pool2d_desc.stride_height(desc, strideHeight);
        velu_pool2d_desc.stride_width(desc, strideWidth);
        velu_pool2d_desc.padding_height(desc, paddingHeight);
        velu_pool2d_desc.padding_width(desc, paddingWidth);
        velu_pool2d_desc.count_include_pad(desc, countIncludePad ? 1 : 0);
        velu_pool2d_desc.y_pitch(desc, Types.pitch(y));
        return desc;
    }
}
