package dev.velu.models;

import dev.velu.device.Context;
import dev.velu.nn.Parameter;
import dev.velu.nn.ParameterFiles;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.safetensors.TensorFile;
import dev.velu.safetensors.TensorFileException;
import dev.velu.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * A file of weights with torchvision's names, to start a network from: a published one, one of a training script, or one of this
 * project. Names may have a common prefix and torchvision's older spellings.
 *
 * <p>Where the network differs in ways that are meant, the file is bent to it and the report says so: another number of classes,
 * the head {@code paper}, another image size, another activation function. Everything else has to match.
 */
public final class CheckpointImport {
    private static final int PUBLISHED_CLASSES = 1000;
    private static final int MOST_CLASSES = 1 << 20;
    private static final int NAMED_PROBLEMS = 12;
    /** Elements of position embeddings that are held in memory to resize them: for images of more than 8000 pixels. */
    private static final long MOST_POSITIONS = 1 << 28;

    private static final String PAPER_HEAD = "head.";
    private static final String LAMBDA = ".lambda";
    private static final String POSITIONS = ".pos_embedding";
    /** Tensors of an optimizer in this project's checkpoints. */
    private static final String OPTIMIZER = "optimizer.";

    /** What wrappers of networks put before all names. */
    private static final List<String> PREFIXES =
            List.of("module.", "model.", "state_dict.", "_orig_mod.", "net.", "network.");

    /** DenseNet before its layers had names of their own: {@code norm.1} is {@code norm1} today. */
    private static final Pattern OLD_DENSE_LAYER =
            Pattern.compile("(.*denselayer\\d+\\.(?:norm|relu|conv))\\.([12]\\.[a-z_]+)");

    /** Vision Transformer before its MLP was a sequence: {@code linear_1} is {@code 0} today, {@code linear_2} is {@code 3}. */
    private static final Pattern OLD_MLP = Pattern.compile("(.*\\.mlp)\\.linear_([12])(\\.[a-z]+)");

    private final TensorFile file;
    /** From torchvision's name to the file's. */
    private final Map<String, String> names;

    private CheckpointImport(TensorFile file, Map<String, String> names) {
        this.file = file;
        this.names = names;
    }

    /**
     * Looks at a file's names.
     *
     * @param file stays the caller's; open as long as this is used
     * @throws TensorFileException if two names mean the same tensor, or there are none
     */
    public static CheckpointImport of(TensorFile file) throws TensorFileException {
        List<String> own = file.names().stream()
                .filter(name -> !name.startsWith(OPTIMIZER))
                .toList();
        if (own.isEmpty()) {
            throw new TensorFileException(file.path(), "holds no tensors of a network");
        }
        int prefix = commonPrefix(own);
        Map<String, String> names = new LinkedHashMap<>();
        for (String name : own) {
            String known = names.put(todaysSpelling(name.substring(prefix)), name);
            if (known != null) {
                throw new TensorFileException(
                        file.path(),
                        "has the same tensor twice: " + TensorFileException.quote(known) + " and "
                                + TensorFileException.quote(name));
            }
        }
        return new CheckpointImport(file, names);
    }

    /** Length of what wrappers put before all names. */
    private static int commonPrefix(List<String> names) {
        int length = 0;
        boolean longer = true;
        while (longer) {
            longer = false;
            for (String prefix : PREFIXES) {
                int from = length;
                if (names.stream().allMatch(name -> name.startsWith(prefix, from))) {
                    length += prefix.length();
                    longer = true;
                }
            }
        }
        return length;
    }

    private static String todaysSpelling(String name) {
        Matcher dense = OLD_DENSE_LAYER.matcher(name);
        if (dense.matches()) {
            return dense.group(1) + dense.group(2);
        }
        Matcher mlp = OLD_MLP.matcher(name);
        if (mlp.matches()) {
            return mlp.group(1) + (mlp.group(2).equals("1") ? ".0" : ".3") + mlp.group(3);
        }
        return name;
    }

    /** The classes that the file's classifier has, as the architecture names it; 1000, as published, if it has none. */
    public int classes(Architecture architecture) throws TensorFileException {
        String weight = names.get(lastLayer(published(architecture)) + ".weight");
        if (weight == null || file.shape(weight).rank() == 0) {
            return PUBLISHED_CLASSES;
        }
        long classes = file.shape(weight).size(0);
        if (classes < 1 || classes > MOST_CLASSES) {
            throw new TensorFileException(
                    file.path(),
                    "has a classifier " + TensorFileException.quote(weight) + " for " + classes + " classes; 1 to "
                            + MOST_CLASSES + " are possible");
        }
        return (int) classes;
    }

    /**
     * Fills a network's parameters. Those that the file is not asked for keep their values: VeLU's lambdas and counters of
     * batches that it does not have, and a head of another shape.
     *
     * @param network its parameters have memory on the context and their initial values
     * @throws TensorFileException if the file does not fit the network: lists tensors that are missing, unexpected, or of
     *     another shape or type; nothing is changed then. Or if its data are damaged
     */
    public ImportReport into(Network network, Context context) throws TensorFileException {
        Fit fit = new Fit(network);
        for (Parameter parameter : network.parameters().all()) {
            fit.plan(parameter);
        }
        fit.requireNothingElse();
        for (Parameter parameter : fit.resized) {
            resize(network, parameter, context);
        }
        for (Parameter parameter : fit.read) {
            ParameterFiles.read(file, names.get(parameter.name()), network.parameters(), parameter, context);
        }
        return new ImportReport(file.path(), fit.read.size() + fit.resized.size(), fit.notes());
    }

    private void resize(Network network, Parameter parameter, Context context) throws TensorFileException {
        String name = names.get(parameter.name());
        float[] stored = new float[Math.toIntExact(file.shape(name).elements())];
        file.copyTo(name, 0, MemorySegment.ofArray(stored));
        float[] resized = PositionEmbeddings.resize(
                stored,
                side(file.shape(name)),
                side(parameter.type().shape()),
                Math.toIntExact(parameter.type().shape().size(2)));
        context.upload(MemorySegment.ofArray(resized), network.parameters().segment(parameter));
    }

    /** Rows and columns of patches of position embeddings {@code [1, 1 + side * side, E]}; -1 if they are not a square. */
    private static int side(Shape shape) {
        if (shape.rank() != 3 || shape.size(0) != 1 || shape.size(1) < 2 || shape.elements() > MOST_POSITIONS) {
            return -1;
        }
        int side = (int) Math.round(Math.sqrt(shape.size(1) - 1.0));
        return (long) side * side == shape.size(1) - 1 ? side : -1;
    }

    /** The parameters of an architecture as published. */
    private static Parameters published(Architecture architecture) {
        NetworkSpec spec = new NetworkSpec(
                architecture,
                PUBLISHED_CLASSES,
                architecture.defaultSize(),
                null,
                NetworkSpec.Sites.ALL,
                NetworkSpec.Head.STANDARD,
                0);
        Parameters parameters = new Parameters();
        Network.build(spec, parameters, 1, false, NormalizeImage.imageNet());
        return parameters;
    }

    private static Set<String> names(Parameters parameters) {
        return parameters.all().stream().map(Parameter::name).collect(Collectors.toSet());
    }

    /** Path of the module that gives the logits: the one declared last. */
    private static String lastLayer(Parameters parameters) {
        String last = parameters.all().stream()
                .filter(parameter -> parameter.role() == Parameter.Role.WEIGHT)
                .reduce((first, second) -> second)
                .orElseThrow()
                .name();
        return last.substring(0, last.lastIndexOf('.'));
    }

    /** How a file fits one network: what is read, what is not and why, and what stands in the way. */
    private final class Fit {
        private final Network network;
        private final Set<String> published;
        private final String lastLayer;
        private final List<Parameter> read = new ArrayList<>();
        private final List<Parameter> resized = new ArrayList<>();
        private final List<String> missing = new ArrayList<>();
        private final List<String> misfits = new ArrayList<>();
        private final List<String> unexpected = new ArrayList<>();
        private final Set<String> expected;
        private final boolean newPaperHead;
        private int missingLambdas;
        private long otherClasses = -1;

        Fit(Network network) {
            this.network = network;
            published = names(published(network.spec().architecture()));
            lastLayer = lastLayer(network.parameters());
            expected = names(network.parameters());
            newPaperHead = network.spec().head() == NetworkSpec.Head.PAPER
                    && names.keySet().stream().noneMatch(name -> name.startsWith(PAPER_HEAD));
        }

        /** Decides what is done with one parameter of the network. */
        void plan(Parameter parameter) throws TensorFileException {
            String name = names.get(parameter.name());
            if (name == null) {
                planMissing(parameter);
                return;
            }
            Shape shape = file.shape(name);
            if (!ParameterFiles.converts(file.dtype(name), parameter)) {
                misfits.add(parameter.name() + " is of " + file.dtype(name) + ", expected "
                        + ParameterFiles.expectedTypes(parameter));
            } else if (shape.equals(parameter.fileShape())) {
                read.add(parameter);
            } else if (isLastLayer(parameter) && differsInClassesOnly(shape, parameter.fileShape())) {
                otherClasses = shape.size(0);
            } else if (parameter.name().endsWith(POSITIONS) && canResize(shape, parameter.fileShape())) {
                resized.add(parameter);
            } else {
                misfits.add(parameter.name() + " is " + shape + ", expected " + parameter.fileShape());
            }
        }

        private void planMissing(Parameter parameter) {
            if (parameter.role() == Parameter.Role.ACTIVATION) {
                missingLambdas++;
            } else if (!ParameterFiles.mayBeMissing(parameter)
                    && !(newPaperHead && parameter.name().startsWith(PAPER_HEAD))) {
                missing.add(parameter.name() + " " + parameter.fileShape() + " is missing");
            }
        }

        private boolean isLastLayer(Parameter parameter) {
            return parameter.name().equals(lastLayer + ".weight")
                    || parameter.name().equals(lastLayer + ".bias");
        }

        private static boolean differsInClassesOnly(Shape stored, Shape wanted) {
            if (stored.rank() != wanted.rank()) {
                return false;
            }
            for (int axis = 1; axis < stored.rank(); axis++) {
                if (stored.size(axis) != wanted.size(axis)) {
                    return false;
                }
            }
            return true;
        }

        private static boolean canResize(Shape stored, Shape wanted) {
            return side(stored) > 0 && side(wanted) > 0 && stored.size(2) == wanted.size(2);
        }

        /** @throws TensorFileException if the file does not fit */
        void requireNothingElse() throws TensorFileException {
            for (Map.Entry<String, String> entry : names.entrySet()) {
                if (!expected.contains(entry.getKey()) && !isLeftOut(entry.getKey())) {
                    unexpected.add("unexpected "
                            + TensorFileException.quote(entry.getValue()).replace("'", "") + " "
                            + file.shape(entry.getValue()));
                }
            }
            // A last layer of which one half fits and the other does not.
            if (otherClasses >= 0 && read.stream().anyMatch(this::isLastLayer)) {
                misfits.add(lastLayer + " has a weight and a bias for different numbers of classes");
            }
            List<List<String>> problems = List.of(missing, misfits, unexpected);
            int count = problems.stream().mapToInt(List::size).sum();
            if (count == 0) {
                return;
            }
            List<String> named = firstOfEach(problems);
            String more = count > named.size() ? "; and " + (count - named.size()) + " more" : "";
            throw new TensorFileException(
                    file.path(),
                    "does not fit " + describe() + ": " + String.join("; ", named) + more + "; nothing was loaded"
                            + otherArchitecture());
        }

        /** A dozen in all, shared evenly by the kinds of problems that there are. */
        private static List<String> firstOfEach(List<List<String>> problems) {
            int[] taken = new int[problems.size()];
            int total = 0;
            for (int kind = 0, idle = 0; total < NAMED_PROBLEMS && idle < taken.length; kind++) {
                int of = kind % taken.length;
                boolean left = taken[of] < problems.get(of).size();
                taken[of] += left ? 1 : 0;
                total += left ? 1 : 0;
                idle = left ? 0 : idle + 1;
            }
            List<String> named = new ArrayList<>();
            for (int of = 0; of < taken.length; of++) {
                named.addAll(problems.get(of).subList(0, taken[of]));
            }
            return named;
        }

        private String describe() {
            NetworkSpec spec = network.spec();
            String head = spec.head() == NetworkSpec.Head.PAPER ? " with the head paper" : "";
            return spec.architecture().label() + head;
        }

        /** The classifier where the head is the paper's; lambdas where the network's activations have none. */
        private boolean isLeftOut(String name) {
            return isPublishedClassifier(name) || isLeftOutLambda(name);
        }

        private boolean isPublishedClassifier(String name) {
            return network.spec().head() == NetworkSpec.Head.PAPER
                    && !expected.contains(name)
                    && published.contains(name);
        }

        private boolean isLeftOutLambda(String name) {
            return name.endsWith(LAMBDA) && !expected.contains(name);
        }

        /** The architecture that the file is of, if it is another one. */
        private String otherArchitecture() {
            return Architecture.all().stream()
                    .filter(other ->
                            !other.label().equals(network.spec().architecture().label()))
                    .filter(other -> published(other).all().stream()
                            .filter(parameter -> parameter.role() == Parameter.Role.WEIGHT)
                            .allMatch(parameter -> names.containsKey(parameter.name())))
                    .findFirst()
                    .map(other -> "; these are the names of " + other.label() + ": is that the --model?")
                    .orElse("");
        }

        List<String> notes() throws TensorFileException {
            List<String> notes = new ArrayList<>();
            if (otherClasses >= 0) {
                notes.add("its classifier " + lastLayer + " has " + otherClasses + " classes, the network "
                        + network.spec().classes() + ": replaced by a new one with its initial values");
            }
            if (newPaperHead) {
                String left = names.keySet().stream()
                        .filter(this::isPublishedClassifier)
                        .map(name -> name.substring(0, name.lastIndexOf('.')))
                        .distinct()
                        .collect(Collectors.joining(", "));
                notes.add((left.isEmpty() ? "it has no classifier" : "its classifier " + left + " is left out")
                        + ": the head paper has its initial values");
            }
            for (Parameter parameter : resized) {
                int from = side(file.shape(names.get(parameter.name())));
                int to = side(parameter.fileShape());
                notes.add("its position embeddings are interpolated from " + from + " x " + from + " patches to " + to
                        + " x " + to);
            }
            if (missingLambdas > 0) {
                notes.add("it has no VeLU lambdas: " + missingLambdas + " have their initial value 1");
            }
            long lambdas = names.keySet().stream().filter(this::isLeftOutLambda).count();
            if (lambdas > 0) {
                notes.add(lambdas + " of its VeLU lambdas are left out: the network has no such activation sites");
            }
            return notes;
        }
    }
}
