package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.velu.device.Status;
import dev.velu.device.VeluException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;

class FailureMessageTest {
    @Test
    void namesTheFileThatIsMissing() {
        assertThat(FailureMessage.of(new NoSuchFileException("/x/y"))).isEqualTo("no such file or folder: '/x/y'");
    }

    @Test
    void namesTheFileThatMayNotBeRead() {
        assertThat(FailureMessage.of(new AccessDeniedException("/x/y")))
                .isEqualTo("no permission to read or write '/x/y'");
    }

    @Test
    void saysWhatAReadOnlyFileSystemAsksFor() {
        assertThat(FailureMessage.of(new FileSystemException("/x", null, "Read-only file system")))
                .isEqualTo("cannot use '/x': the file system is read-only; choose another folder");
    }

    @Test
    void saysThatTheDiskIsFull() {
        assertThat(FailureMessage.of(new IOException("No space left on device")))
                .isEqualTo("cannot write: the disk is full; free some space or choose another folder");
    }

    @Test
    void looksThroughWrappers() {
        assertThat(FailureMessage.of(new ExecutionException(new UncheckedIOException(new IOException("broken")))))
                .isEqualTo("broken");
    }

    @Test
    void keepsTheWordsOfTheNativeLibrary() {
        assertThat(FailureMessage.of(new VeluException(Status.UNSUPPORTED, "no BF16 here")))
                .isEqualTo("no BF16 here");
    }

    @Test
    void aMissingBackendNamesTheDeviceThatIsAlwaysThere() {
        assertThat(FailureMessage.of(new VeluException(
                        Status.BACKEND_UNAVAILABLE, "device cuda:0 is unavailable: no CUDA driver is installed")))
                .isEqualTo("device cuda:0 is unavailable: no CUDA driver is installed (--device cpu does without)");
    }

    @Test
    void aBuildWithoutTheCpuIsNotSentThere() {
        String message = "device cpu is unavailable: this build has no such backend";
        assertThat(FailureMessage.of(new VeluException(Status.BACKEND_UNAVAILABLE, message)))
                .isEqualTo(message);
    }

    @Test
    void isOneLineWithoutControlCharacters() {
        assertThat(FailureMessage.of(new IOException("a\n  b\u001b[0m"))).isEqualTo("a b?[0m");
    }

    @Test
    void asksToReportWhatWasNotExpected() {
        assertThat(FailureMessage.of(new IllegalStateException("odd")))
                .isEqualTo("internal error: IllegalStateException: odd; run again with --verbose and report it");
    }

    @Test
    void anInputOutputExceptionWithoutWordsIsStillASentence() {
        assertThat(FailureMessage.of(new FileNotFoundException()))
                .isEqualTo("input or output failed: FileNotFoundException");
    }
}
