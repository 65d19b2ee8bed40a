package dev.velu.trainer.run;

import dev.velu.device.BackendInfo;
import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.DeviceInfo;
import dev.velu.device.NativeLibrary;
import dev.velu.trainer.data.Dataset;
import dev.velu.trainer.report.ActivityFile;
import dev.velu.trainer.report.EvaluationRecord;
import dev.velu.trainer.report.Predictions;
import dev.velu.trainer.report.RunEnvironment;
import dev.velu.trainer.report.RunReport;
import dev.velu.trainer.report.SiteActivity;
import dev.velu.trainer.tensorboard.EventFile;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/**
 * Writes what people look at while a run goes on and afterwards: {@code report.html} with the files it is made from, and event
 * files for TensorBoard. None of it is needed to train, so a file that cannot be written is reported once and the run goes on.
 *
 * <p>Used by the thread that trains.
 */
final class RunRecorder implements AutoCloseable {
    /** Steps from one point of TensorBoard's curves by step to the next. */
    private static final int STEP_INTERVAL = 10;

    private final RunConfiguration configuration;
    private final Path folder;
    private final Dataset evaluated;
    private final ProgressDisplay progress;
    private RunEnvironment environment;
    private EventFile events;
    private Predictions predictions = new Predictions();
    private boolean warned;

    /** A file to write. */
    @FunctionalInterface
    private interface Writing {
        void run() throws IOException;
    }

    /** @param evaluated whose images the samples are */
    RunRecorder(RunConfiguration configuration, Path folder, Dataset evaluated, ProgressDisplay progress) {
        this.configuration = configuration;
        this.folder = folder;
        this.evaluated = evaluated;
        this.progress = progress;
    }

    /**
     * Training begins or goes on. The folder is there.
     *
     * @param state where it begins
     * @param trainImages of an epoch
     * @param size height and width of the images, in pixels
     * @param parameters trained values of the network
     */
    void begin(RunProgress state, int trainImages, int size, long parameters, Context context) {
        attempt(() -> {
            RunEnvironment now = new RunEnvironment(
                    evaluated.classNames().size(),
                    trainImages,
                    evaluated.size(),
                    size,
                    parameters,
                    context.allocatedBytes(),
                    "running",
                    List.of(session(state, context)));
            RunEnvironment before = state.steps() > 0 ? RunEnvironment.read(folder) : null;
            environment = before == null ? now : now.after(before);
            environment.write(folder);
            events = EventFile.create(folder);
            if (state.steps() > 0) {
                events.resumeAt(state.steps() + 1);
            } else {
                events.text("configuration", 0, "```json\n" + configuration.toJson() + "\n```");
            }
            events.flush();
        });
    }

    private static RunEnvironment.Session session(RunProgress state, Context context) {
        Device device = context.device();
        DeviceInfo info = DeviceInfo.query(device);
        boolean cpu = device.kind() == Device.Kind.CPU;
        return new RunEnvironment.Session(
                Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
                state.epochs() + 1,
                command(),
                device.toString(),
                info.name()
                        + (info.isa() == null ? "" : " (" + info.isa().name().toLowerCase(Locale.ROOT) + ")"),
                cpu ? context.threads() : 0,
                Runtime.getRuntime().availableProcessors(),
                info.memoryTotal(),
                String.join(
                        " ",
                        System.getProperty("os.name"),
                        System.getProperty("os.version"),
                        System.getProperty("os.arch")),
                System.getProperty("java.version") + " (" + System.getProperty("java.vendor") + ")",
                NativeLibrary.version(),
                BackendInfo.query(device.kind())
                        .libraries()
                        .lines()
                        .filter(line -> !line.isBlank())
                        .toList());
    }

    /** The command line without the virtual machine's part; null if this process is another program's. */
    private static String command() {
        String main = "dev.velu.trainer.cli.Main ";
        String command = System.getProperty("sun.java.command", "");
        return command.startsWith(main) ? "velu " + command.substring(main.length()) : null;
    }

    /**
     * A step of training is done.
     *
     * @param number of the step in the run, from 1
     * @param loss of its batch, without the W2 term
     * @param w2 sum over the VeLU sites
     */
    void step(long number, double loss, double w2, float learningRate) {
        if (events == null || number % STEP_INTERVAL != 0) {
            return;
        }
        attempt(() -> {
            events.scalar("step/loss", number, loss);
            events.scalar("step/learning_rate", number, learningRate);
            if (w2 != 0) {
                events.scalar("step/w2_sum", number, w2);
            }
        });
    }

    /** Takes the images of the evaluation that begins now. */
    Evaluation.Listener evaluation() {
        Predictions all = new Predictions();
        predictions = all;
        return (index, label, step, row) -> all.add(index, label, step.logits(row));
    }

    /**
     * An epoch and its evaluation are done.
     *
     * @param best whether no epoch before was as good
     * @param sites what the activations did; empty if nothing is known of them
     */
    void epoch(EpochMetrics metrics, boolean best, List<SiteActivity> sites) {
        attempt(() -> {
            if (!sites.isEmpty()) {
                new ActivityFile(folder).add(metrics.epoch(), sites);
            }
            EvaluationRecord evaluation = best ? EvaluationRecord.of(metrics.epoch(), predictions, evaluated) : null;
            if (best) {
                evaluation.write(folder);
            }
            if (events != null) {
                write(metrics, sites);
                if (best) {
                    writeMisclassified(metrics, evaluation);
                }
                events.flush();
            }
            RunReport.write(folder);
        });
    }

    private void write(EpochMetrics metrics, List<SiteActivity> sites) throws IOException {
        long step = metrics.steps();
        events.scalar("train/loss", step, metrics.trainLoss());
        events.scalar("train/top1", step, metrics.trainTop1());
        events.scalar("train/learning_rate", step, metrics.learningRate());
        events.scalar("eval/loss", step, metrics.evalLoss());
        events.scalar("eval/top1", step, metrics.evalTop1());
        events.scalar("eval/top5", step, metrics.evalTop5());
        events.scalar("velu/w2", step, metrics.w2());
        events.scalar("velu/w2_loss", step, metrics.w2Loss());
        events.scalar("speed/images_per_second", step, metrics.imagesPerSecond());
        events.scalar("speed/seconds", step, metrics.seconds());
        events.scalar("speed/decode_wait_seconds", step, metrics.decodeWaitSeconds());
        write("lambda", step, sites, SiteActivity::lambda);
        write("w2", step, sites, SiteActivity::w2);
        write("std", step, sites, SiteActivity::std);
        write("adaptive_scale", step, sites, SiteActivity::scaleMean);
        write("dead_units", step, sites, site -> (double) site.deadUnits());
        write("saturated", step, sites, SiteActivity::saturated);
    }

    /** One curve for each site, and how the values are distributed over the sites. */
    private void write(String name, long step, List<SiteActivity> sites, Function<SiteActivity, Double> value)
            throws IOException {
        double[] values = sites.stream()
                .map(value)
                .mapToDouble(number -> number == null ? Double.NaN : number)
                .toArray();
        for (int i = 0; i < values.length; i++) {
            events.scalar("activation_" + name + "/" + sites.get(i).site(), step, values[i]);
        }
        events.histogram("activations/" + name, step, values);
    }

    private void writeMisclassified(EpochMetrics metrics, EvaluationRecord evaluation) throws IOException {
        int number = 0;
        for (EvaluationRecord.Sample sample : evaluation.samples()) {
            if (sample.actual() != sample.predicted() && sample.image() != null) {
                number++;
                events.image("misclassified/" + number, metrics.steps(), sample.png());
            }
        }
    }

    /** The run ended as it should, or was asked to stop. */
    void end(TrainingRun.Outcome outcome) {
        attempt(() -> {
            if (environment != null) {
                environment.ended(outcome.name().toLowerCase(Locale.ROOT)).write(folder);
            }
            if (events != null) {
                events.flush();
            }
            RunReport.write(folder);
        });
    }

    private void attempt(Writing writing) {
        try {
            writing.run();
        } catch (IOException e) {
            warn(RunFolder.reason(e));
        } catch (RunException e) {
            warn(e.getMessage());
        }
    }

    private void warn(String reason) {
        if (!warned) {
            warned = true;
            progress.line("warning: cannot write the report or the event files in " + folder + ": " + reason
                    + "; training goes on without");
        }
    }

    @Override
    public void close() {
        if (events != null) {
            attempt(events::close);
        }
    }
}
