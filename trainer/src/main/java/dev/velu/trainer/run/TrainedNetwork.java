package dev.velu.trainer.run;

import dev.velu.device.Context;
import dev.velu.device.ContextOptions;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.models.InferenceStep;
import dev.velu.models.Network;
import dev.velu.models.NetworkSpec;
import dev.velu.models.OnnxExport;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.trainer.data.CorruptImageException;
import dev.velu.trainer.data.DecodedImage;
import dev.velu.trainer.data.ImageLoader;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * A network loaded from a checkpoint of this trainer or from published weights, ready to evaluate, to predict and to export. Used
 * by one thread at a time.
 */
public final class TrainedNetwork implements AutoCloseable {
    private final Path path;
    private final Checkpoint checkpoint;
    private final boolean named;
    private final Context context;
    private final Parameters parameters = new Parameters();
    private final NormalizeImage normalization;
    private final int batchSize;
    private final List<String> notes;
    private final InferenceStep step;

    /** A class and how probable it is, in [0, 1]. */
    public record Prediction(String className, double probability) {}

    /** Loads a checkpoint to compute in float32, without TF32. */
    public TrainedNetwork(Path path, Device device, int threads, int batchSize) throws IOException {
        this(path, device, new ContextOptions(threads, Isa.AUTO, false), NetworkSpec.Precision.FP32, batchSize);
    }

    /**
     * Loads a checkpoint.
     *
     * @param precision to compute in, whatever the network was trained in
     * @param batchSize images per batch, positive
     * @throws IOException if the file is missing, damaged or does not fit the network; names it and the tensor
     * @throws RunException if it is not a checkpoint of this trainer
     */
    public TrainedNetwork(
            Path path, Device device, ContextOptions options, NetworkSpec.Precision precision, int batchSize)
            throws IOException {
        this(NetworkFile.checkpoint(path), device, options, precision, batchSize);
    }

    /**
     * Loads weights.
     *
     * @param precision to compute in, whatever the network was trained in
     * @param batchSize images per batch, positive
     * @throws IOException if a file is missing, damaged or does not fit the network; names it and the tensors
     * @throws RunException if it is not known what network they are of
     */
    public TrainedNetwork(
            Weights weights, Device device, ContextOptions options, NetworkSpec.Precision precision, int batchSize)
            throws IOException {
        this(weights.open(), device, options, precision, batchSize);
    }

    /** @param opened is closed in any case */
    private TrainedNetwork(
            NetworkFile opened, Device device, ContextOptions options, NetworkSpec.Precision precision, int batchSize)
            throws IOException {
        this.batchSize = batchSize;
        try (NetworkFile file = opened) {
            path = file.tensors().path();
            checkpoint = file.description();
            named = file.named();
            normalization = new NormalizeImage(checkpoint.mean(), checkpoint.std());
            Network network = Network.build(
                    checkpoint
                            .configuration()
                            .with(Map.of("precision", precision.label()))
                            .network(checkpoint.classNames().size(), checkpoint.size()),
                    parameters,
                    batchSize,
                    false,
                    normalization);
            context = Context.open(device, options);
            boolean loaded = false;
            try {
                parameters.allocate(context, false);
                notes = file.load(network, context);
                step = new InferenceStep(network, context);
                loaded = true;
            } finally {
                if (!loaded) {
                    context.close();
                }
            }
        }
    }

    /** What a person should know of how the weights were loaded, line by line; nothing for a checkpoint. */
    public List<String> notes() {
        return notes;
    }

    /** How the network was trained. */
    public RunConfiguration configuration() {
        return checkpoint.configuration();
    }

    /** Names of the classes, by class number. */
    public List<String> classNames() {
        return checkpoint.classNames();
    }

    /** Height and width of the images it takes, in pixels. */
    public int size() {
        return checkpoint.size();
    }

    /**
     * Evaluates on the evaluation split of a data set.
     *
     * @param settings data, limits and policy for corrupt images; image size and batch size are this network's
     * @throws RunException if the data set has other classes
     */
    public Evaluation evaluate(RunConfiguration settings, ProgressDisplay progress)
            throws CorruptImageException, InterruptedException {
        RunConfiguration own = settings.with(Map.of("size", size(), "batch_size", batchSize));
        try (RunData data = RunData.open(own)) {
            if (!named) {
                requireAsManyClasses(data.eval().classNames().size(), settings.data());
            } else if (!data.eval().classNames().equals(classNames())) {
                throw new RunException(path + " was trained on the classes " + classNames() + ", the data set "
                        + settings.data() + " has " + data.eval().classNames()
                        + "; evaluate on a data set with the same classes");
            }
            Evaluation evaluation = Evaluation.of(
                    step,
                    data.own(data.evaluationPipeline(own, batchSize, context)),
                    progress,
                    batchSize,
                    Evaluation.Listener.NONE);
            if (!Double.isFinite(evaluation.loss())) {
                throw notFinite("its loss is " + evaluation.loss());
            }
            return evaluation;
        }
    }

    /** Classes that have no names are those of the data set, one by one. */
    private void requireAsManyClasses(int classes, String data) {
        if (classes != classNames().size()) {
            throw new RunException(path + " has " + classNames().size() + " classes, the data set " + data + " has "
                    + classes + "; evaluate on a data set with as many");
        }
    }

    /**
     * Writes the network as a safetensors file with torchvision's names and axis order, whole or not at all. VeLU's lambdas
     * have the names they have here, as torchvision has none.
     *
     * @throws IOException if it cannot be written; names the file and the reason
     */
    public void exportSafeTensors(Path output) throws IOException {
        checkpoint.export(output, named, parameters, context);
    }

    /**
     * Writes the network as an ONNX model of standard operators, see {@link OnnxExport}, whole or not at all. Names of the
     * classes stand in its metadata, line by line under {@code classes}.
     *
     * @throws IOException if it cannot be written; names the file and the reason
     */
    public void exportOnnx(Path output) throws IOException {
        Map<String, String> metadata = named ? Map.of("classes", String.join("\n", classNames())) : Map.of();
        NetworkSpec spec = checkpoint.configuration().network(classNames().size(), size());
        WholeFile.write(output, out -> OnnxExport.write(spec, parameters, normalization, context, metadata, out));
    }

    private RunException notFinite(String what) {
        return new RunException(
                path + " cannot be used: " + what + "; its weights are damaged, use an earlier checkpoint");
    }

    /**
     * Classifies one image file (JPEG, PNG, BMP or GIF), brought to the network's size as in training.
     *
     * @param top how many classes, the most probable first
     * @throws CorruptImageException if it cannot be decoded; names it
     */
    public List<Prediction> predict(Path image, int top) throws CorruptImageException {
        return predict(ImageLoader.read(image), top);
    }

    /**
     * Classifies one decoded image of any size, brought to the network's size as in training.
     *
     * @param top how many classes, the most probable first
     */
    public List<Prediction> predict(DecodedImage image, int top) {
        DecodedImage decoded = image.toSquare(size());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment batch = arena.allocate((long) batchSize * size() * size() * 3, 64);
            MemorySegment.copy(MemorySegment.ofArray(decoded.rgb()), 0, batch, 0, decoded.rgb().length);
            step.run(batch);
        }
        double[] probabilities = step.probabilities(0);
        if (Arrays.stream(probabilities).anyMatch(Double::isNaN)) {
            throw notFinite("its probabilities are not numbers");
        }
        List<Prediction> predictions = new ArrayList<>();
        IntStream.range(0, probabilities.length)
                .boxed()
                .sorted(Comparator.comparingDouble((Integer c) -> -probabilities[c]))
                .limit(top)
                .forEach(c -> predictions.add(new Prediction(classNames().get(c), probabilities[c])));
        return predictions;
    }

    @Override
    public void close() {
        step.close();
        context.close();
    }
}
