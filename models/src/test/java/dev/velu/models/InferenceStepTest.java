package dev.velu.models;

import static org.assertj.core.api.Assertions.assertThat;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class InferenceStepTest {
    private static final int BATCH = 2;
    private static final int SIZE = 16;
    private static final int CLASSES = 3;

    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private InferenceStep step() {
        NetworkSpec spec = new NetworkSpec(
                Architecture.named("resnet50"),
                CLASSES,
                SIZE,
                null,
                NetworkSpec.Sites.ALL,
                NetworkSpec.Head.STANDARD,
                0);
        Network network = Network.build(spec, new Parameters(), BATCH, false, NormalizeImage.imageNet());
        network.parameters().allocate(context, false);
        network.parameters().initialize(1);
        return new InferenceStep(network, context);
    }

    @Test
    void labelsOfOneBatchAreNotThoseOfTheNext() {
        byte[] pixels = new byte[BATCH * SIZE * SIZE * 3];
        new Random(3).nextBytes(pixels);
        MemorySegment images = MemorySegment.ofArray(pixels);
        try (InferenceStep step = step()) {
            step.run(images, MemorySegment.ofArray(new int[] {0, 1}));
            assertThat(step.loss()).isPositive();
            assertThat(step.top5()).isEqualTo(BATCH);
            step.run(images);
            assertThat(step.loss()).isZero();
            assertThat(step.top5()).isZero();
            assertThat(step.probabilities(1)).hasSize(CLASSES);
        }
    }
}
