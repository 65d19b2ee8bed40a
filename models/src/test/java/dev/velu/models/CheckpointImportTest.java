package dev.velu.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Value;
import dev.velu.nn.Initializer;
import dev.velu.nn.Parameter;
import dev.velu.nn.ParameterFiles;
import dev.velu.nn.Parameters;
import dev.velu.op.ActivationFunction;
import dev.velu.op.NormalizeImage;
import dev.velu.op.Pointwise;
import dev.velu.op.VeluParameters;
import dev.velu.safetensors.SafeTensorsWriter;
import dev.velu.safetensors.TensorFile;
import dev.velu.safetensors.TensorFileException;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointImportTest {
    private static final int SIZE = 24;
    private static final int CLASSES = 10;

    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    @TempDir
    Path folder;

    /** A few layers with the kinds of names that networks have; position embeddings for patches of 8 x 8 pixels. */
    private record Small() implements Architecture {
        @Override
        public String label() {
            return "small";
        }

        @Override
        public int defaultSize() {
            return SIZE;
        }

        @Override
        public int minimumSize() {
            return 8;
        }

        @Override
        public ActivationFunction defaultActivation() {
            return Pointwise.RELU;
        }

        @Override
        public boolean standardHeadHasActivations() {
            return false;
        }

        @Override
        public Value features(NetworkBuilder net, Value images) {
            long side = images.type().shape().size(1) / 8;
            net.parameter("encoder.pos_embedding", new Initializer.Normal(0, 1), 1, 1 + side * side, 2);
            Value x = net.activation("relu", net.batchNorm("bn1", net.conv2d("conv1", images, 4, 3, 1, 1)));
            x = net.linear("denseblock1.denselayer1.conv1", net.globalAvgPool("avgpool", x), 6);
            return net.linear("encoder_layer_0.mlp.3", net.linear("encoder_layer_0.mlp.0", x, 5), 6);
        }

        @Override
        public Value classifier(NetworkBuilder net, Value features, int classes) {
            return net.linear("fc", features, classes);
        }
    }

    private static NetworkSpec spec(int classes, int size, ActivationFunction activation, NetworkSpec.Head head) {
        return new NetworkSpec(new Small(), classes, size, activation, NetworkSpec.Sites.ALL, head, 0);
    }

    private static NetworkSpec spec() {
        return spec(CLASSES, SIZE, null, NetworkSpec.Head.STANDARD);
    }

    /** With initial values of a seed, and statistics that are not the initial ones. */
    private Network network(NetworkSpec spec, long seed) {
        Parameters parameters = new Parameters();
        Network network = Network.build(spec, parameters, 1, false, NormalizeImage.imageNet());
        parameters.allocate(context, false);
        parameters.initialize(seed);
        MemorySegment mean = parameters.segment(parameters.get("bn1.running_mean"));
        mean.setAtIndex(ValueLayout.JAVA_FLOAT, 1, seed);
        parameters.segment(parameters.get("bn1.num_batches_tracked")).set(ValueLayout.JAVA_LONG, 0, seed);
        return network;
    }

    private static Map<String, List<Float>> values(Network network) {
        Map<String, List<Float>> values = new TreeMap<>();
        for (Parameter parameter : network.parameters().all()) {
            List<Float> list = new ArrayList<>();
            MemorySegment segment = network.parameters().segment(parameter);
            for (long i = 0; i < segment.byteSize() / Float.BYTES; i++) {
                list.add(segment.getAtIndex(ValueLayout.JAVA_FLOAT, i));
            }
            values.put(parameter.name(), list);
        }
        return values;
    }

    private List<SafeTensorsWriter.Entry> entries(Network network) {
        return ParameterFiles.entries(network.parameters(), context);
    }

    private static List<SafeTensorsWriter.Entry> renamed(
            List<SafeTensorsWriter.Entry> entries, UnaryOperator<String> rename) {
        return entries.stream()
                .map(e -> new SafeTensorsWriter.Entry(rename.apply(e.name()), e.dtype(), e.shape(), e.content()))
                .toList();
    }

    private static List<SafeTensorsWriter.Entry> without(
            List<SafeTensorsWriter.Entry> entries, Predicate<String> left) {
        return entries.stream().filter(entry -> !left.test(entry.name())).toList();
    }

    private static List<SafeTensorsWriter.Entry> with(
            List<SafeTensorsWriter.Entry> entries, String name, long... sizes) {
        List<SafeTensorsWriter.Entry> more = new ArrayList<>(without(entries, name::equals));
        Shape shape = Shape.of(sizes);
        more.add(SafeTensorsWriter.Entry.of(
                name, DType.F32, shape, MemorySegment.ofArray(new float[(int) shape.elements()])));
        return more;
    }

    private ImportReport load(List<SafeTensorsWriter.Entry> entries, Network network) throws TensorFileException {
        Path path = folder.resolve("weights.safetensors");
        SafeTensorsWriter.write(path, Map.of(), entries);
        try (TensorFile file = ParameterFiles.open(path)) {
            return CheckpointImport.of(file).into(network, context);
        }
    }

    private void assertRefused(List<SafeTensorsWriter.Entry> entries, Network network, String... problems) {
        Map<String, List<Float>> before = values(network);
        assertThatThrownBy(() -> load(entries, network))
                .isInstanceOf(TensorFileException.class)
                .hasMessageStartingWith(folder.resolve("weights.safetensors") + ": does not fit small")
                .hasMessageContaining("nothing was loaded")
                .hasMessageContainingAll(problems);
        assertThat(values(network)).isEqualTo(before);
    }

    @Test
    void aNetworkOfTheSameNamesIsFilledWhole() throws TensorFileException {
        Network saved = network(spec(), 1);
        Network loaded = network(spec(), 2);

        ImportReport report = load(entries(saved), loaded);

        assertThat(values(loaded)).isEqualTo(values(saved));
        assertThat(report.tensors()).isEqualTo(saved.parameters().all().size());
        assertThat(report.notes()).isEmpty();
        assertThat(report.lines()).containsExactly("loaded " + report.tensors() + " tensors of " + report.file());
    }

    @ParameterizedTest
    @ValueSource(strings = {"module.", "model.", "state_dict.", "module.model."})
    void aPrefixOfAllNamesIsIgnored(String prefix) throws TensorFileException {
        Network saved = network(spec(), 1);
        Network loaded = network(spec(), 2);

        load(renamed(entries(saved), name -> prefix + name), loaded);

        assertThat(values(loaded)).isEqualTo(values(saved));
    }

    @Test
    void aPrefixOfSomeNamesIsNot() {
        assertRefused(
                renamed(entries(network(spec(), 1)), name -> name.equals("fc.bias") ? "module.fc.bias" : name),
                network(spec(), 2),
                "fc.bias [10] is missing",
                "unexpected module.fc.bias [10]");
    }

    @Test
    void oldSpellingsMeanTodaysNames() throws TensorFileException {
        Network saved = network(spec(), 1);
        Network loaded = network(spec(), 2);

        load(
                renamed(
                        entries(saved),
                        name -> name.replace("denselayer1.conv1", "denselayer1.conv.1")
                                .replace("mlp.0", "mlp.linear_1")
                                .replace("mlp.3", "mlp.linear_2")),
                loaded);

        assertThat(values(loaded)).isEqualTo(values(saved));
    }

    @Test
    void theSameTensorInTwoSpellingsIsRefused() {
        List<SafeTensorsWriter.Entry> entries =
                with(entries(network(spec(), 1)), "encoder_layer_0.mlp.linear_1.bias", 5);

        assertThatThrownBy(() -> load(entries, network(spec(), 2)))
                .isInstanceOf(TensorFileException.class)
                .hasMessageContaining("has the same tensor twice: 'encoder_layer_0.mlp.0.bias' and"
                        + " 'encoder_layer_0.mlp.linear_1.bias'");
    }

    @Test
    void countersOfBatchesMayBeMissing() throws TensorFileException {
        Network saved = network(spec(), 1);
        Network loaded = network(spec(), 2);

        ImportReport report = load(without(entries(saved), "bn1.num_batches_tracked"::equals), loaded);

        assertThat(report.notes()).isEmpty();
        assertThat(loaded.parameters()
                        .segment(loaded.parameters().get("bn1.num_batches_tracked"))
                        .get(ValueLayout.JAVA_LONG, 0))
                .isEqualTo(2);
    }

    @Test
    void tensorsOfAnOptimizerAreIgnored() throws TensorFileException {
        assertThat(load(with(entries(network(spec(), 1)), "optimizer.state0", 7), network(spec(), 2))
                        .notes())
                .isEmpty();
    }

    @Test
    void otherClassesReplaceTheLastLayerAndTheReportSaysSo() throws TensorFileException {
        Network saved = network(spec(7, SIZE, null, NetworkSpec.Head.STANDARD), 1);
        Network loaded = network(spec(), 2);
        List<Float> initial = values(loaded).get("fc.weight");

        ImportReport report = load(entries(saved), loaded);

        assertThat(report.notes())
                .containsExactly("its classifier fc has 7 classes, the network 10: replaced by a new one with its"
                        + " initial values");
        assertThat(values(loaded).get("fc.weight")).isEqualTo(initial);
        assertThat(values(loaded).get("conv1.weight")).isEqualTo(values(saved).get("conv1.weight"));
    }

    @Test
    void aLastLayerWithTwoNumbersOfClassesIsRefused() {
        assertRefused(
                with(entries(network(spec(), 1)), "fc.bias", 7),
                network(spec(), 2),
                "fc has a weight and a bias for different numbers of classes");
    }

    @Test
    void theHeadOfThePaperLeavesThePublishedClassifierOut() throws TensorFileException {
        Network saved = network(spec(), 1);
        Network loaded = network(spec(CLASSES, SIZE, null, NetworkSpec.Head.PAPER), 2);
        List<Float> initial = values(loaded).get("head.fc1.weight");

        ImportReport report = load(entries(saved), loaded);

        assertThat(report.notes())
                .containsExactly("its classifier fc is left out: the head paper has its initial values");
        assertThat(values(loaded).get("head.fc1.weight")).isEqualTo(initial);
        assertThat(values(loaded).get("conv1.weight")).isEqualTo(values(saved).get("conv1.weight"));
    }

    @Test
    void aHeadOfThePaperIsLoadedButForItsClasses() throws TensorFileException {
        Network saved = network(spec(7, SIZE, null, NetworkSpec.Head.PAPER), 1);
        Network loaded = network(spec(CLASSES, SIZE, null, NetworkSpec.Head.PAPER), 2);

        ImportReport report = load(entries(saved), loaded);

        assertThat(report.notes()).hasSize(1).first().asString().startsWith("its classifier head.fc3 has 7 classes");
        assertThat(values(loaded).get("head.fc1.weight"))
                .isEqualTo(values(saved).get("head.fc1.weight"));
    }

    @Test
    void lambdasThatTheFileLacksKeepTheirInitialOne() throws TensorFileException {
        Network loaded = network(spec(CLASSES, SIZE, VeluParameters.released(), NetworkSpec.Head.STANDARD), 2);

        ImportReport report = load(entries(network(spec(), 1)), loaded);

        assertThat(values(loaded).get("relu.0.lambda")).containsExactly(1f);
        assertThat(report.notes()).containsExactly("it has no VeLU lambdas: 1 have their initial value 1");
    }

    @Test
    void lambdasThatTheNetworkLacksAreLeftOut() throws TensorFileException {
        Network saved = network(spec(CLASSES, SIZE, VeluParameters.released(), NetworkSpec.Head.STANDARD), 1);

        assertThat(load(entries(saved), network(spec(), 2)).notes())
                .containsExactly("1 of its VeLU lambdas are left out: the network has no such activation sites");
    }

    @Test
    void positionEmbeddingsOfAnotherSizeAreInterpolated() throws TensorFileException {
        Network saved = network(spec(), 1);
        Network loaded = network(spec(CLASSES, 40, null, NetworkSpec.Head.STANDARD), 2);

        ImportReport report = load(entries(saved), loaded);

        assertThat(report.notes())
                .containsExactly("its position embeddings are interpolated from 3 x 3 patches to 5 x 5");
        List<Float> before = values(saved).get("encoder.pos_embedding");
        List<Float> after = values(loaded).get("encoder.pos_embedding");
        assertThat(after).hasSize(26 * 2);
        // The class token, and the corners, which are aligned.
        assertThat(after.subList(0, 4)).isEqualTo(before.subList(0, 4));
        assertThat(after.subList(50, 52)).isEqualTo(before.subList(18, 20));
    }

    @Test
    void positionEmbeddingsThatAreNoSquareAreRefused() {
        assertRefused(
                with(entries(network(spec(), 1)), "encoder.pos_embedding", 1, 9, 2),
                network(spec(), 2),
                "encoder.pos_embedding is [1, 9, 2], expected [1, 10, 2]");
    }

    @Test
    void everyMismatchIsListedByNameAndShapeAndNothingIsLoaded() {
        List<SafeTensorsWriter.Entry> entries = without(entries(network(spec(), 1)), "bn1.weight"::equals);
        entries = with(entries, "conv1.weight", 4, 3, 5, 5);
        entries = with(entries, "conv1.bias", 4);
        entries = with(entries, "bn1.num_batches_tracked");

        assertRefused(
                entries,
                network(spec(), 2),
                "bn1.weight [4] is missing",
                "conv1.weight is [4, 3, 5, 5], expected [4, 3, 3, 3]",
                "unexpected conv1.bias [4]",
                "bn1.num_batches_tracked is of F32, expected integers");
    }

    @Test
    void aDozenMismatchesAreNamedAndTheOthersCounted() {
        List<SafeTensorsWriter.Entry> entries = entries(network(spec(), 1));
        for (int i = 0; i < 15; i++) {
            entries = with(entries, "extra" + i, 1);
        }

        assertRefused(entries, network(spec(), 2), "unexpected extra0 [1]", "unexpected extra11 [1]; and 3 more");
    }

    @Test
    void everyKindOfMismatchIsAmongThoseNamed() {
        List<SafeTensorsWriter.Entry> entries = List.of();
        for (int i = 0; i < 15; i++) {
            entries = with(entries, "extra" + i, 1);
        }
        entries = with(entries, "fc.bias");

        assertRefused(
                entries,
                network(spec(), 2),
                "encoder.pos_embedding [1, 10, 2] is missing",
                "fc.bias is [], expected [10]",
                "unexpected extra4 [1]; and ");
    }

    @Test
    void weightsOfAnotherNetworkAreRecognized() {
        Parameters resnet = new Parameters();
        Network.build(
                new NetworkSpec(
                        Architecture.named("resnet50"),
                        2,
                        32,
                        null,
                        NetworkSpec.Sites.ALL,
                        NetworkSpec.Head.STANDARD,
                        0),
                resnet,
                1,
                false,
                NormalizeImage.imageNet());
        List<SafeTensorsWriter.Entry> entries = List.of();
        for (Parameter parameter : resnet.all()) {
            entries = with(entries, parameter.name(), 1);
        }

        assertRefused(entries, network(spec(), 2), "these are the names of resnet50: is that the --model?");
    }

    @Test
    void aFileWithoutTensorsIsNamed() {
        assertThatThrownBy(() -> load(List.of(), network(spec(), 2)))
                .isInstanceOf(TensorFileException.class)
                .hasMessageContaining("holds no tensors of a network");
    }

    @Test
    void theNumberOfClassesIsThatOfTheClassifier() throws IOException {
        Path path = folder.resolve("weights.safetensors");
        SafeTensorsWriter.write(path, Map.of(), renamed(entries(network(spec(), 1)), name -> "model." + name));
        try (TensorFile file = ParameterFiles.open(path)) {
            assertThat(CheckpointImport.of(file).classes(new Small())).isEqualTo(CLASSES);
        }
        SafeTensorsWriter.write(path, Map.of(), with(List.of(), "other", 1));
        try (TensorFile file = ParameterFiles.open(path)) {
            assertThat(CheckpointImport.of(file).classes(new Small())).isEqualTo(1000);
        }
    }

    @Test
    void anImportedNetworkGivesTheLogitsOfTheSavedOne() throws IOException {
        Network saved = TinyNetwork.on(context, false);
        Path path = folder.resolve("tiny.safetensors");
        SafeTensorsWriter.write(path, Map.of(), ParameterFiles.entries(saved.parameters(), context));
        Network loaded = TinyNetwork.on(context, false);
        loaded.parameters().initialize(99);
        try (TensorFile file = ParameterFiles.open(path)) {
            CheckpointImport.of(file).into(loaded, context);
        }
        assertThat(probabilities(loaded)).containsExactly(probabilities(saved));
    }

    private double[] probabilities(Network network) {
        try (Arena arena = Arena.ofConfined();
                InferenceStep step = new InferenceStep(network, context)) {
            MemorySegment images = arena.allocate(TinyNetwork.IMAGE_BYTES, 64);
            TinyNetwork.batch(1, images, arena.allocate(TinyNetwork.LABEL_BYTES, 64));
            step.run(images);
            return step.probabilities(0);
        }
    }
}
