package dev.velu.trainer.run;

/** What the steps of an epoch add up to. It goes on where an interrupted run stopped. */
final class EpochSums {
    private int steps;
    private double loss;
    private long correct;
    private long images;
    private double w2;

    /** @param state of the run before the epoch, or where it was interrupted */
    EpochSums(RunProgress state) {
        steps = state.stepsInEpoch();
        loss = state.lossSum();
        correct = state.correct();
        images = state.images();
        w2 = state.w2Sum();
    }

    /**
     * Adds one step.
     *
     * @param count its images
     * @param stepLoss mean over them
     * @param stepCorrect of them classified correctly
     * @param stepW2 sum over the VeLU sites
     */
    void add(int count, float stepLoss, long stepCorrect, double stepW2) {
        steps++;
        loss += (double) stepLoss * count;
        correct += stepCorrect;
        images += count;
        w2 += stepW2;
    }

    /** Steps of the epoch that are done. */
    int steps() {
        return steps;
    }

    /** Mean over the images. */
    double loss() {
        return loss / images;
    }

    /** Fraction of the images classified correctly. */
    double top1() {
        return (double) correct / images;
    }

    /** Sum over the VeLU sites and the steps. */
    double w2() {
        return w2;
    }

    /** What a checkpoint in the middle of the epoch keeps. */
    RunProgress progress(int epoch, long globalSteps, long skippedImages, RunProgress before) {
        return new RunProgress(
                epoch,
                steps,
                globalSteps,
                loss,
                correct,
                images,
                w2,
                Math.max(before.skippedImages(), skippedImages),
                before.bestTop1(),
                before.bestEpoch(),
                before.referenceTop1(),
                before.referenceEpoch());
    }
}
