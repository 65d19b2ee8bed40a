package dev.velu.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Graph;
import dev.velu.graph.Plan;
import dev.velu.graph.Value;
import dev.velu.nn.Initializer;
import dev.velu.nn.Parameters;
import dev.velu.op.Dropout;
import dev.velu.op.NormalizeImage;
import dev.velu.op.VeluParameters;
import dev.velu.tensor.DType;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the facts of torchvision do not say: heads, sizes, random sites. */
class NetworkTest {
    private static final long SEED = 42;

    static Stream<Architecture> architectures() {
        return Architecture.all().stream();
    }

    private static Network build(Architecture architecture, int size, NetworkSpec.Head head, boolean training) {
        NetworkSpec.Sites sites = head == NetworkSpec.Head.PAPER || architecture.standardHeadHasActivations()
                ? NetworkSpec.Sites.HEAD
                : NetworkSpec.Sites.ALL;
        NetworkSpec spec = new NetworkSpec(architecture, 10, size, VeluParameters.released(), sites, head, 0.1f);
        return Network.build(spec, new Parameters(), 2, training, NormalizeImage.imageNet(), SEED);
    }

    private static Network build(Architecture architecture, int size, boolean training) {
        return build(architecture, size, NetworkSpec.Head.STANDARD, training);
    }

    private static List<String> inputs(Network network) {
        return network.graph().inputs().stream().map(Value::name).toList();
    }

    /** Counts of the head in the paper's released code. */
    @ParameterizedTest
    @CsvSource({
        "vgg19, 148426",
        "resnet50, 541642",
        "densenet121, 279498",
        "mobilenet_v2, 345034",
        "efficientnet_b3, 410570",
        "vit_b_16, 213962"
    })
    void paperHeadHasAsManyParametersAsThePapers(String label, long expected) {
        Network network = build(Architecture.named(label), 128, NetworkSpec.Head.PAPER, true);

        assertThat(network.layers().stream()
                        .filter(layer -> layer.name().startsWith("head."))
                        .mapToLong(Layer::parameters)
                        .sum())
                .isEqualTo(expected);
    }

    @Test
    void activationsOfAStandardHeadCanBeChosenApart() {
        Network network = build(new Vgg19(true), 32, true);

        assertThat(network.sites().stream()
                        .filter(site -> site.activation().equals("velu"))
                        .map(ActivationSite::path))
                .containsExactly("classifier.1", "classifier.4");
    }

    @ParameterizedTest
    @MethodSource("architectures")
    void takesImagesOfItsMinimumSizeButNoneThatAreSmaller(Architecture architecture) {
        Network network = build(architecture, architecture.minimumSize(), true);

        assertThat(network.logits().type().shape().toArray()).containsExactly(2, 10);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> build(architecture, architecture.minimumSize() - 1, true))
                .withMessageContaining(architecture.minimumSize() == 1 ? "not positive" : "too small");
    }

    @ParameterizedTest
    @ValueSource(ints = {31, 28})
    void minimumSizesAreWhatTheLayersNeed(int size) {
        Architecture architecture = size == 31 ? new Vgg19(false) : new DenseNet121();
        NetworkSpec larger =
                new NetworkSpec(architecture, 10, size + 1, null, NetworkSpec.Sites.ALL, NetworkSpec.Head.STANDARD, 0);
        NetworkBuilder net = new NetworkBuilder(new Graph(), new Parameters(), true, larger.bodyActivation(), 0, SEED);
        Value images = net.parameter("images", new Initializer.Constant(0), 2, size, size, 3);

        assertThat(larger.size()).isEqualTo(architecture.minimumSize());
        assertThatIllegalArgumentException()
                .isThrownBy(() -> architecture.features(net, images))
                .withMessageContaining("smaller than the kernel");
    }

    @Test
    void visionTransformerTakesMultiplesOfItsPatches() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> build(new VisionTransformerB16(), 100, true))
                .withMessage("image size 100 does not fit vit_b_16, which takes multiples of 16; use 96 or 112");
    }

    @Test
    void positionEmbeddingHasAnEntryForEachPatchAndTheClass() {
        Network network = build(new VisionTransformerB16(), 64, false);

        assertThat(network.parameters().get("encoder.pos_embedding").fileShape().toArray())
                .containsExactly(1, 17, 768);
    }

    @Test
    void firstLinearLayerOfVggIsStoredPixelByPixel() {
        Network network = build(new Vgg19(false), 32, false);

        assertThat(network.parameters().get("classifier.0.weight").pixels()).isEqualTo(49);
        assertThat(network.parameters().get("classifier.3.weight").pixels()).isEqualTo(1);
    }

    @ParameterizedTest
    @MethodSource("architectures")
    void onlyTrainingWithRandomSitesTakesTheNumberOfTheStep(Architecture architecture) {
        Network training = build(architecture, 32, true);
        boolean random = training.layers().stream().anyMatch(layer -> layer.operation() instanceof Dropout);

        assertThat(inputs(training))
                .containsExactlyElementsOf(random ? List.of(Network.IMAGES, Network.STEP) : List.of(Network.IMAGES));
        assertThat(inputs(build(architecture, 32, false))).containsExactly(Network.IMAGES);
    }

    @Test
    void everyRandomSiteDrawsFromAStreamOfItsOwnWithTheSeed() {
        List<Dropout> sites = build(new EfficientNetB3(), 32, true).layers().stream()
                .filter(layer -> layer.operation() instanceof Dropout)
                .map(layer -> (Dropout) layer.operation())
                .toList();

        assertThat(sites).hasSize(20);
        assertThat(sites.stream().map(Dropout::stream)).doesNotHaveDuplicates();
        assertThat(sites.stream().map(Dropout::seed)).containsOnly(SEED);
    }

    @ParameterizedTest
    @MethodSource("architectures")
    void trainingAndInferenceShareTheirParameters(Architecture architecture) {
        NetworkSpec spec = new NetworkSpec(
                architecture, 10, 32, VeluParameters.released(), NetworkSpec.Sites.ALL, NetworkSpec.Head.STANDARD, 0);
        Parameters parameters = new Parameters();
        Network.build(spec, parameters, 2, true, NormalizeImage.imageNet());
        int declared = parameters.all().size();
        Network.build(spec, parameters, 3, false, NormalizeImage.imageNet());

        assertThat(parameters.all()).hasSize(declared);
    }

    @ParameterizedTest
    @MethodSource("architectures")
    void layersAddUpToTheTotals(Architecture architecture) {
        Network network = build(architecture, 64, NetworkSpec.Head.PAPER, true);

        assertThat(network.layers().stream().mapToLong(Layer::parameters).sum()).isEqualTo(network.parameterCount());
    }

    @ParameterizedTest
    @MethodSource("architectures")
    void trainsAndEvaluatesInBfloat16WithTheSameParametersAndLayers(Architecture architecture) {
        for (boolean training : new boolean[] {true, false}) {
            Network narrow = inPrecision(architecture, NetworkSpec.Precision.BF16, training);
            Network wide = inPrecision(architecture, NetworkSpec.Precision.FP32, training);

            assertThat(narrow.layers()).isEqualTo(wide.layers());
            assertThat(narrow.parameters().all()).isEqualTo(wide.parameters().all());
            assertThat(narrow.logits().type()).isEqualTo(wide.logits().type());
            if (training) {
                TrainingGraph.training(narrow, 0);
            } else {
                TrainingGraph.evaluation(narrow);
            }
            assertThat(narrow.graph().nodes())
                    .filteredOn(node -> node.operation().name().matches("(conv2d|linear|attention)_forward"))
                    .isNotEmpty()
                    .allMatch(node -> node.input(0).type().dtype() == DType.BF16);
        }
    }

    private static Network inPrecision(Architecture architecture, NetworkSpec.Precision precision, boolean training) {
        NetworkSpec spec = new NetworkSpec(
                architecture,
                10,
                32,
                VeluParameters.released(),
                NetworkSpec.Sites.ALL,
                NetworkSpec.Head.STANDARD,
                0.1f,
                precision);
        return Network.build(spec, new Parameters(), 2, training, NormalizeImage.imageNet());
    }

    @Test
    void theFeaturesOfDenseNetAreSetBesideEachOtherWithoutACopyInBothDirections() {
        Network network = build(new DenseNet121(), 32, true);
        TrainingGraph.training(network, 0);
        try (Context context = Context.open(Device.cpu(), 1, Isa.AUTO)) {
            network.parameters().allocate(context, true);
            try (Plan plan = Plan.of(network.graph(), network.parameters(), context)) {
                long views = network.graph().nodes().stream()
                        .filter(node -> node.operation().view() != null)
                        .count();
                assertThat(views).isEqualTo(58 + 2 * 58);
                assertThat(plan.size()).isEqualTo(network.graph().nodes().size() - views);
            }
        }
    }

    @Test
    void aProjectionAfterSqueezeAndExcitationIsOneOperationWithIt() {
        Network network = build(new EfficientNetB3(), 32, true);
        TrainingGraph.training(network, 0);
        List<String> operations = network.graph().nodes().stream()
                .map(node -> node.operation().name())
                .toList();
        assertThat(operations).filteredOn("scaled_linear_forward"::equals).hasSize(26);
        assertThat(operations).noneMatch(name -> name.startsWith("channel_scale"));
    }

    @Test
    void theResidualSumsOfTheTransformerAreJoinedWithTheNormsAfterThem() {
        Network network = build(new VisionTransformerB16(), 32, true);
        TrainingGraph.training(network, 0);
        assertThat(network.graph().nodes())
                .noneMatch(node -> node.operation().name().equals("add_forward"));
    }
}
