package dev.velu.selftest;

import dev.velu.device.Context;
import dev.velu.device.VeluException;
import dev.velu.op.Velu;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Runs the cases of a file of VeLU reference vectors through a device's kernels, with the tolerances of VeLU's
 * specification.
 */
public final class VectorCases {
    private VectorCases() {}

    /**
     * The worst errors of one case, each as a fraction of its tolerance: at most 1 is within.
     *
     * @param moments of mean, standard deviation and W2
     * @param detail the element with the worst error, or what else went wrong
     */
    public record CaseResult(
            String name, double y, double moments, double dx, double dlambda, boolean pass, String detail) {
        /** The largest of the fractions. */
        public double worst() {
            return Math.max(Math.max(y, moments), Math.max(dx, dlambda));
        }
    }

    /**
     * All cases of one file.
     *
     * @param implementation what the device computed VeLU with
     */
    public record Report(Path file, String implementation, List<CaseResult> cases) {
        /** Whether every case is within its tolerances. */
        public boolean pass() {
            return cases.stream().allMatch(CaseResult::pass);
        }

        /** The case with the worst error. */
        public CaseResult worst() {
            return cases.stream()
                    .max(Comparator.comparingDouble(CaseResult::worst))
                    .orElseThrow();
        }
    }

    /**
     * Reads a file and runs it.
     *
     * @throws VectorFileException if the file cannot be read or is malformed; names the case and the field
     */
    public static Report run(Context context, Path file) throws VectorFileException {
        List<CaseResult> results = new ArrayList<>();
        for (VectorCase c : VectorFile.read(file)) {
            results.add(run(context, c));
        }
        return new Report(file, context.implementation("velu_forward", MemorySegment.NULL), List.copyOf(results));
    }

    private static CaseResult run(Context context, VectorCase c) {
        Comparison y = new Comparison();
        Comparison moments = new Comparison();
        Comparison dx = new Comparison();
        Comparison dlambda = new Comparison();
        try (Trial trial = new Trial(context)) {
            try {
                compute(trial, c, y, moments, dx, dlambda);
                trial.checkSentinels();
                if (!trial.comparison().pass()) {
                    y.failure(trial.comparison().detail());
                }
            } catch (VeluException | IllegalArgumentException e) {
                y.failure(e.getMessage());
            }
        }
        Comparison worst = y;
        for (Comparison other : List.of(moments, dx, dlambda)) {
            worst = other.worstFraction() > worst.worstFraction() ? other : worst;
        }
        return new CaseResult(
                c.name(),
                y.worstFraction(),
                moments.worstFraction(),
                dx.worstFraction(),
                dlambda.worstFraction(),
                y.pass() && moments.pass() && dx.pass() && dlambda.pass(),
                worst.detail());
    }

    private static void compute(
            Trial trial, VectorCase c, Comparison y, Comparison moments, Comparison dx, Comparison dlambda) {
        Velu velu = new Velu(c.parameters(), c.w2Weight());
        Tensor x = trial.input(c.x(), c.rows(), c.channels());
        Tensor dy = trial.input(c.dy(), c.rows(), c.channels());
        Tensor lambda = trial.scalar(c.lambda());
        Tensor yTensor = trial.output(DType.F32, c.rows(), c.channels());
        // An empty tensor has no moments.
        Tensor momentsTensor = c.rows() == 0 ? null : trial.output(DType.F32, 3);
        Tensor dxTensor = trial.output(DType.F32, c.rows(), c.channels());
        Tensor dlambdaTensor = trial.output(DType.F32);
        velu.forward(trial.context(), x, lambda, yTensor, momentsTensor);
        Velu backward = momentsTensor == null ? new Velu(c.parameters(), 0) : velu;
        backward.backward(trial.context(), x, dy, lambda, momentsTensor, dxTensor, dlambdaTensor);

        float[] yValues = yTensor.toFloatArray();
        float[] dxValues = dxTensor.toFloatArray();
        for (int i = 0; i < yValues.length; i++) {
            y.element("y", i, yValues[i], c.y()[i], Tolerances.VELU_Y.at(c.y()[i]));
            dx.element("dx", i, dxValues[i], c.dx()[i], Tolerances.VELU_DX.at(c.dxMagnitude()[i]));
        }
        if (momentsTensor != null) {
            float[] values = momentsTensor.toFloatArray();
            double[] expected = {c.mean(), c.std(), c.w2()};
            String[] names = {"activation_mean", "activation_std", "w2"};
            for (int i = 0; i < values.length; i++) {
                double tolerance = Tolerances.VELU_MOMENTS.at(Math.max(1, Math.abs(expected[i])));
                moments.element(names[i], 0, values[i], expected[i], tolerance);
            }
        }
        double tolerance = Tolerances.VELU_DLAMBDA.at(c.dlambdaMagnitude());
        dlambda.element("dlambda", 0, dlambdaTensor.item(), c.dlambda(), tolerance);
    }
}
