package dev.velu.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.velu.device.Context;
import dev.velu.models.NetworkSpec.Precision;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.op.VeluParameters;
import dev.velu.optim.GradientClip;
import dev.velu.optim.Optimizer;
import dev.velu.optim.OptimizerAlgorithm;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/** A network in both precisions. */
abstract class NetworkInBothPrecisions {
    private static final int STEPS = 4;
    /** A loss of about 1.6 from logits that were rounded to bfloat16 six times, 2^-9 of up to 2 each. */
    private static final float LOSS_ERROR = 0.02f;

    @AutoClose
    private final Context context = open();

    /** A context on the device under test; skips the test where there is none. */
    abstract Context open();

    private final MemorySegment images = MemorySegment.ofArray(new byte[(int) TinyNetwork.IMAGE_BYTES]);
    private final MemorySegment labels = MemorySegment.ofArray(new int[TinyNetwork.BATCH]);

    private static Network network(Precision precision, Parameters parameters, boolean training) {
        NetworkSpec spec = new NetworkSpec(
                new TinyNetwork(),
                TinyNetwork.CLASSES,
                TinyNetwork.SIZE,
                VeluParameters.released(),
                NetworkSpec.Sites.ALL,
                NetworkSpec.Head.STANDARD,
                0.1f,
                precision);
        return Network.build(spec, parameters, TinyNetwork.BATCH, training, NormalizeImage.imageNet());
    }

    private float[] losses(Precision precision) {
        Parameters parameters = new Parameters();
        Network network = network(precision, parameters, true);
        parameters.allocate(context, true);
        parameters.initialize(3);
        Optimizer optimizer = new Optimizer(parameters, OptimizerAlgorithm.Adam.defaults(), GradientClip.NONE, context);
        float[] losses = new float[STEPS];
        try (TrainingStep step = new TrainingStep(network, context, optimizer, 0.1f)) {
            for (int i = 0; i < STEPS; i++) {
                TinyNetwork.batch(i, images, labels);
                step.run(images, labels, 0.01f);
                losses[i] = step.loss();
            }
        }
        return losses;
    }

    @Test
    void trainingInBfloat16GoesTheWayOfFloat32WithinItsRounding() {
        float[] wide = losses(Precision.FP32);
        float[] narrow = losses(Precision.BF16);
        assertThat(narrow).isNotEqualTo(wide).containsExactly(wide, within(LOSS_ERROR));
    }

    @Test
    void theSameParametersAreEvaluatedInEitherPrecision() {
        Parameters parameters = new Parameters();
        Network wide = network(Precision.FP32, parameters, false);
        Network narrow = network(Precision.BF16, parameters, false);
        parameters.allocate(context, false);
        parameters.initialize(3);
        byte[] before = bytes(parameters);
        TinyNetwork.batch(0, images, labels);
        try (InferenceStep inFloat32 = new InferenceStep(wide, context);
                InferenceStep inBfloat16 = new InferenceStep(narrow, context)) {
            inFloat32.run(images, labels);
            inBfloat16.run(images, labels);
            assertThat(inBfloat16.loss())
                    .isNotEqualTo(inFloat32.loss())
                    .isEqualTo(inFloat32.loss(), within(LOSS_ERROR));
            for (int row = 0; row < TinyNetwork.BATCH; row++) {
                assertThat(inBfloat16.probabilities(row)).containsExactly(inFloat32.probabilities(row), within(0.01));
            }
        }
        assertThat(bytes(parameters)).isEqualTo(before);
    }

    private byte[] bytes(Parameters parameters) {
        byte[] bytes = new byte[Math.toIntExact(parameters.trainableBytes())];
        context.download(parameters.values(), MemorySegment.ofArray(bytes));
        return bytes;
    }
}
