package dev.velu.trainer.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ActivityFileTest {
    @TempDir
    Path folder;

    private static SiteActivity site(int epoch, double lambda) {
        return new SiteActivity(epoch, "features.0", "velu", lambda, 0.2, 0.0, 1.0, 1.0, 1.0, 1.0, 0, 8, 0.0, 64);
    }

    @Test
    void anEpochThatIsComputedAgainReplacesItselfAndWhatFollowed() throws Exception {
        ActivityFile file = new ActivityFile(folder);
        file.add(1, List.of(site(1, 1.1)));
        file.add(2, List.of(site(2, 1.2)));
        file.add(3, List.of(site(3, 1.3)));
        file.add(2, List.of(site(2, 1.5)));
        assertThat(file.read()).extracting(SiteActivity::lambda).containsExactly(1.1, 1.5);
    }

    @Test
    void aNumberThatIsNotFiniteIsNull() throws Exception {
        ActivityFile file = new ActivityFile(folder);
        file.add(1, List.of(site(1, Double.POSITIVE_INFINITY)));
        assertThat(Files.readString(folder.resolve(ActivityFile.FILE))).contains("\"lambda\":null");
        assertThat(file.read().getFirst().lambda()).isNull();
    }

    @Test
    void aLineThatWasCutOffIsLeftOut() throws Exception {
        ActivityFile file = new ActivityFile(folder);
        file.add(1, List.of(site(1, 1.1)));
        Files.writeString(folder.resolve(ActivityFile.FILE), "{\"epoch\":2,\"si", StandardOpenOption.APPEND);
        assertThat(file.read()).containsExactly(site(1, 1.1));
    }
}
