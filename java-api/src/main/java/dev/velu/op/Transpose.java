package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_transpose_desc;
import dev.velu.device.Context;
import dev.velu.graph.Binding;
import dev.velu.graph.Gradients;
import dev.velu.graph.Graph;
import dev.velu.graph.NativeCall;
import dev.velu.graph.Node;
import dev.velu.graph.Operation;
import dev.velu.graph.Value;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Transposition of a batch of matrices whose rows and columns may have several axes: x {@code [batch axes..., row
 * axes..., column axes...]}, y {@code [batch axes..., column axes..., row axes...]} of the same dtype. Its gradient is
 * the transposition back.
 *
 * @param batchAxes how many axes of x come first and stay, zero or more
 * @param rowAxes how many axes follow that go to the end, at least one; x has more axes than both together
 */
public record Transpose(int batchAxes, int rowAxes) {
    /**
     * Checks the constants.
     *
     * @throws IllegalArgumentException if the number of batch axes is negative or that of row axes is not positive
     */
    public Transpose {
        if (batchAxes < 0) {
            throw new IllegalArgumentException("number of batch axes " + batchAxes + " is negative");
        }
        if (rowAxes < 1) {
            throw new IllegalArgumentException("number of row axes " + rowAxes + " is not positive");
        }
    }

    /** {@code [rows, columns]} to {@code [columns, rows]}. */
    public static Transpose matrix() {
        return new Transpose(0, 1);
    }

    /** {@code [N, C, H, W]} to {@code [N, H, W, C]}. */
    public static Transpose nchwToNhwc() {
        return new Transpose(1, 1);
    }

    /** {@code [N, H, W, C]} to {@code [N, C, H, W]}. */
    public static Transpose nhwcToNchw() {
        return new Transpose(1, 2);
    }

    /** Records y, the transposed x. */
    public Value apply(Graph graph, Value x) {
        return graph.apply(new Forward(this), x).getFirst();
    }

    /** y, the transposed x, at once; y may not be x. */
    public void forward(Context context, Tensor x, Tensor y) {
        Eager.run(context, new Forward(this), List.of(x), List.of(y));
    }

    /** What undoes it for tensors of a number of axes. */
    private Transpose inverse(int rank) {
        return new Transpose(batchAxes, rank - batchAxes - rowAxes);
    }

    /** Input x; output y. */
    record Forward(Transpose transpose) implements Operation {
        @Override
        public String name() {
            return "transpose_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = Types.floating(name(), inputs, 0, "x", -1);
            int batch = transpose.batchAxes;
            int rank = x.shape().rank();
            // In long: the sum of two axis counts may overflow an int.
            if (rank <= (long) batch + transpose.rowAxes) {
                throw new IllegalArgumentException(name() + ": x has shape " + x.shape() + ", expected more than "
                        + ((long) batch + transpose.rowAxes) + " axes: " + batch + " of the batch, "
                        + transpose.rowAxes + " of the rows, and those of the columns");
            }
            long[] sizes = x.shape().toArray();
            long[] transposed = sizes.clone();
            int columns = rank - batch - transpose.rowAxes;
            System.arraycopy(sizes, batch + transpose.rowAxes, transposed, batch, columns);
            System.arraycopy(sizes, batch, transposed, batch + columns, transpose.rowAxes);
            return List.of(new TensorType(x.dtype(), Shape.of(transposed)));
        }

        @Override
        public NativeCall bind(Binding b) {
            Shape shape = b.inputType(0).shape();
            int rows = transpose.batchAxes + transpose.rowAxes;
            MemorySegment desc = velu_transpose_desc.allocate(b.arena());
            velu_transpose_desc.device(desc, b.device());
            velu_transpose_desc.dtype(desc, b.inputType(0).dtype().code());
            velu_transpose_desc.batch(desc, product(shape, 0, transpose.batchAxes));
            velu_transpose_desc.rows(desc, product(shape, transpose.batchAxes, rows));
            velu_transpose_desc.columns(desc, product(shape, rows, shape.rank()));
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment y = b.output(0);
            return () -> VeluNative.velu_transpose_forward(context, desc, x, y);
        }

        private static long product(Shape shape, int from, int to) {
            long product = 1;
            for (int axis = from; axis < to; axis++) {
                product *= shape.size(axis);
            }
            return product;
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value x = node.input(0);
            Value dy = gradients.of(node.output(0));
            gradients.add(x, transpose.inverse(x.type().shape().rank()).apply(gradients.graph(), dy));
        }
    }
}
