package dev.velu.trainer.run;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class EpochSumsTest {
    @Test
    void weighsTheLossByImages() {
        EpochSums sums = new EpochSums(RunProgress.start());
        sums.add(3, 2, 1, 0.5);
        sums.add(1, 6, 1, 0.25);
        assertThat(sums.steps()).isEqualTo(2);
        assertThat(sums.loss()).isEqualTo(3);
        assertThat(sums.top1()).isEqualTo(0.5);
        assertThat(sums.w2()).isEqualTo(0.75);
    }

    @Test
    void goesOnWhereACheckpointStopped() {
        EpochSums whole = new EpochSums(RunProgress.start());
        whole.add(4, 0.3f, 2, 0.1);
        RunProgress stopped = whole.progress(2, 17, 5, new RunProgress(2, 0, 16, 0, 0, 0, 0, 3, 0.5, 1, 0.4, 1));
        assertThat(stopped).isEqualTo(new RunProgress(2, 1, 17, (double) 0.3f * 4, 2, 4, 0.1, 5, 0.5, 1, 0.4, 1));
        EpochSums resumed = new EpochSums(RunProgress.fromJson(stopped.toJson()));
        whole.add(4, 0.7f, 1, 0.2);
        resumed.add(4, 0.7f, 1, 0.2);
        assertThat(resumed.progress(2, 18, 5, stopped)).isEqualTo(whole.progress(2, 18, 5, stopped));
    }
}
