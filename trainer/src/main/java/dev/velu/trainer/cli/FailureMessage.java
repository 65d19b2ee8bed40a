package dev.velu.trainer.cli;

import dev.velu.device.Device;
import dev.velu.device.Status;
import dev.velu.device.VeluException;
import dev.velu.trainer.data.CorruptImageException;
import dev.velu.trainer.data.DataException;
import dev.velu.trainer.fetch.FetchException;
import dev.velu.trainer.peer.PeerException;
import dev.velu.trainer.run.RunException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;

/** A failure as one line for the user: what happened, to what, and what to do. */
final class FailureMessage {
    /** What the operating system says, as it reaches Java, and what that means to the user. */
    private static final Map<String, String> SYSTEM_REASONS = Map.of(
            "No space left on device", "the disk is full; free some space or choose another folder",
            "Disk quota exceeded", "the disk quota is used up; free some space or choose another folder",
            "Read-only file system", "the file system is read-only; choose another folder",
            "Permission denied", "permission denied; choose another folder or change its permissions",
            "Too many open files", "too many open files; raise the limit with 'ulimit -n'",
            "Not a directory", "a part of the path is not a folder",
            "Is a directory", "it is a folder, not a file",
            "File name too long", "the file name is too long");

    private FailureMessage() {}

    static String of(Throwable failure) {
        return oneLine(sentence(failure));
    }

    /** Without line breaks and other control characters. */
    static String oneLine(String text) {
        return text.strip().replaceAll("\\s*\\R\\s*", " ").replaceAll("\\p{Cntrl}", "?");
    }

    private static String sentence(Throwable failure) {
        boolean wrapper = failure instanceof UncheckedIOException
                || failure instanceof ExecutionException
                || failure instanceof CompletionException
                || failure instanceof ExceptionInInitializerError;
        if (wrapper && failure.getCause() != null) {
            return sentence(failure.getCause());
        }
        return switch (failure) {
            case FileSystemException e -> fileSystem(e);
            case CorruptImageException e -> e.getMessage() + " (--corrupt-images skip)";
            case IOException e -> inputOutput(e);
            case VeluException e -> e.getMessage() + remedy(e);
            case DataException e -> e.getMessage();
            case FetchException e -> e.getMessage();
            case RunException e -> e.getMessage();
            case PeerException e -> e.getMessage();
            case UnsatisfiedLinkError e -> e.getMessage();
            case OutOfMemoryError e ->
                "out of memory (" + e.getMessage() + "); use a smaller batch or image size, or give the JVM more, e.g."
                        + " VELU_JAVA_OPTS=-Xmx4g";
            case InterruptedException e -> "interrupted";
            default -> internal(failure);
        };
    }

    /** What the library below cannot know: the option that chooses another device. */
    private static String remedy(VeluException e) {
        boolean elsewhere =
                e.status() == Status.BACKEND_UNAVAILABLE && !e.getMessage().startsWith("device " + Device.cpu());
        return elsewhere ? " (--device cpu does without)" : "";
    }

    private static String fileSystem(FileSystemException e) {
        String file = "'" + e.getFile() + "'";
        return switch (e) {
            case NoSuchFileException missing -> "no such file or folder: " + file;
            case AccessDeniedException denied -> "no permission to read or write " + file;
            case FileAlreadyExistsException exists -> file + " exists already and is not what is needed there";
            case NotDirectoryException notDirectory -> file + " is not a folder";
            default -> {
                String reason = e.getReason() == null ? e.getClass().getSimpleName() : e.getReason();
                yield "cannot use " + file + ": " + SYSTEM_REASONS.getOrDefault(reason, reason);
            }
        };
    }

    private static String inputOutput(IOException e) {
        if (e.getMessage() == null) {
            return "input or output failed: " + e.getClass().getSimpleName();
        }
        String meaning = SYSTEM_REASONS.get(e.getMessage());
        return meaning == null ? e.getMessage() : "cannot write: " + meaning;
    }

    private static String internal(Throwable failure) {
        String message = failure.getMessage() == null ? "" : ": " + failure.getMessage();
        return "internal error: " + failure.getClass().getSimpleName() + message
                + "; run again with --verbose and report it";
    }
}
