package dev.velu.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.nn.Parameters;
import dev.velu.op.ActivationFunction;
import dev.velu.op.NormalizeImage;
import dev.velu.op.Pointwise;
import dev.velu.op.VeluParameters;
import dev.velu.op.W2;
import dev.velu.optim.GradientClip;
import dev.velu.optim.Optimizer;
import dev.velu.optim.OptimizerAlgorithm;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ActivationStatisticsTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 2, Isa.AUTO);

    @AutoClose
    private final Arena arena = Arena.ofConfined();

    private final MemorySegment images = arena.allocate(TinyNetwork.IMAGE_BYTES, 64);
    private final MemorySegment labels = arena.allocate(TinyNetwork.LABEL_BYTES, 64);

    private static NetworkSpec spec(ActivationFunction activation, W2 w2, float w2Weight) {
        return new NetworkSpec(
                new TinyNetwork(),
                TinyNetwork.CLASSES,
                TinyNetwork.SIZE,
                activation,
                NetworkSpec.Sites.ALL,
                NetworkSpec.Head.PAPER,
                w2Weight,
                NetworkSpec.Precision.FP32,
                w2);
    }

    /** Parameters with memory and their first values, as for training. */
    private Parameters parameters(NetworkSpec spec) {
        Parameters parameters = new Parameters();
        Network.build(spec, parameters, TinyNetwork.BATCH, true, NormalizeImage.imageNet());
        parameters.allocate(context, true);
        parameters.initialize(3);
        return parameters;
    }

    private List<SiteStatistics> measure(NetworkSpec spec, Parameters parameters) {
        TinyNetwork.batch(1, images, labels);
        try (ActivationStatistics statistics =
                new ActivationStatistics(spec, parameters, TinyNetwork.BATCH, NormalizeImage.imageNet(), context)) {
            return statistics.measure(images);
        }
    }

    @ParameterizedTest
    @EnumSource
    void everyVeluSiteIsMeasuredWithTheKindOfItsNetwork(W2 kind) {
        NetworkSpec spec = spec(VeluParameters.released(), kind, 0.1f);
        List<SiteStatistics> sites = measure(spec, parameters(spec));
        assertThat(sites.stream().map(SiteStatistics::site))
                .containsExactly("act1.0", "head.activation.0", "head.activation.1");
        assertThat(sites.stream().map(SiteStatistics::units)).containsExactly(8L, 256L, 64L);
        for (SiteStatistics site : sites) {
            double gaussian = site.mean() * site.mean() + (site.std() - 1) * (site.std() - 1);
            if (kind == W2.GAUSSIAN) {
                assertThat(site.w2()).isCloseTo(gaussian, within(1e-5));
            } else {
                assertThat(site.w2()).isNotCloseTo(gaussian, within(1e-4));
            }
            assertThat(site.lambda()).isEqualTo(1);
            assertThat(site.scaleMin()).isBetween(1.0, site.scaleMean());
            assertThat(site.scaleMax()).isBetween(site.scaleMean(), 1.1);
            assertThat(site.saturated()).isBetween(0.0, 1.0);
            assertThat(site.deadUnits()).isZero();
        }
    }

    @Test
    void whatTheParametersAreNowIsMeasured() {
        NetworkSpec spec = spec(VeluParameters.released(), W2.EMPIRICAL, 0.1f);
        Parameters parameters = parameters(spec);
        parameters.segment(parameters.get("act1.0.lambda")).set(ValueLayout.JAVA_FLOAT, 0, 0);
        SiteStatistics site = measure(spec, parameters).getFirst();
        assertThat(site.lambda()).isZero();
        assertThat(site.deadUnits()).isEqualTo(8);
        assertThat(site.std()).isPositive();
    }

    @Test
    void otherFunctionsHaveNoScaleAndSaturateWhereTheyAreFlat() {
        NetworkSpec spec = spec(Pointwise.RELU, W2.GAUSSIAN, 0);
        for (SiteStatistics site : measure(spec, parameters(spec))) {
            assertThat(site.activation()).isEqualTo("relu");
            assertThat(new double[] {site.lambda(), site.scaleMin(), site.scaleMean(), site.scaleMax()})
                    .containsOnly(1);
            assertThat(site.saturated()).isBetween(0.1, 0.9);
        }
    }

    @ParameterizedTest
    @EnumSource
    void trainingWithTheTermAloneLowersTheDistanceOfItsKind(W2 kind) {
        NetworkSpec spec = spec(VeluParameters.released(), kind, 1000);
        Parameters parameters = new Parameters();
        Network network = Network.build(spec, parameters, TinyNetwork.BATCH, true, NormalizeImage.imageNet());
        parameters.allocate(context, true);
        parameters.initialize(3);
        Optimizer optimizer = new Optimizer(parameters, OptimizerAlgorithm.Adam.defaults(), GradientClip.NONE, context);
        TinyNetwork.batch(1, images, labels);
        try (TrainingStep step = new TrainingStep(network, context, optimizer, 0)) {
            step.run(images, labels, 3e-3f);
            double first = step.w2();
            for (int i = 0; i < 40; i++) {
                step.run(images, labels, 3e-3f);
            }
            assertThat(step.veluSites()).isEqualTo(3);
            assertThat(step.w2()).isLessThan(0.5 * first);
        }
    }
}
