package dev.velu.nn;

import dev.velu.pytorch.PyTorchFile;
import dev.velu.safetensors.SafeTensorsFile;
import dev.velu.safetensors.TensorFile;
import dev.velu.safetensors.TensorFileException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** What a file of weights is, by its first bytes; names and suffixes say nothing reliable. */
enum FileFormat {
    SAFETENSORS,
    PYTORCH,
    HDF5("is an HDF5 file (Keras .h5), which is not read; convert it to safetensors with torchvision's names"),
    TAR("is a tar file, as PyTorch before 0.1.10 wrote, which is not read; load and save it with a newer PyTorch"),
    GIT_LFS("is a pointer of Git LFS, not the file that it stands for; get that with 'git lfs pull'"),
    TEXT("is a text or a web page, not a file of weights; was it downloaded whole?"),
    EMPTY("is empty"),
    UNKNOWN("is neither a safetensors file nor one of torch.save (.pth, .pt)");

    private static final int HEAD = 512;
    private static final int TAR_MAGIC = 257;
    private static final long LARGEST_SAFETENSORS_HEADER = 100_000_000;

    private final String problem;

    FileFormat() {
        this(null);
    }

    FileFormat(String problem) {
        this.problem = problem;
    }

    /** Opens a file of any format that is read. */
    static TensorFile open(Path path) throws TensorFileException {
        FileFormat format = of(path);
        return switch (format) {
            case SAFETENSORS -> SafeTensorsFile.open(path);
            case PYTORCH -> PyTorchFile.open(path);
            default -> throw new TensorFileException(path, format.problem);
        };
    }

    private static FileFormat of(Path path) throws TensorFileException {
        if (Files.isDirectory(path)) {
            throw new TensorFileException(path, "is a folder, not a file of weights");
        }
        byte[] head;
        try (InputStream in = Files.newInputStream(path)) {
            head = in.readNBytes(HEAD);
        } catch (IOException e) {
            throw new TensorFileException(path, "cannot be read: " + TensorFileException.reason(e), e);
        }
        if (head.length == 0) {
            return EMPTY;
        }
        if (isSafeTensors(head)) {
            return SAFETENSORS;
        }
        if (startsWith(head, 0, "PK\3\4") || (head[0] & 0xff) == 0x80) {
            return PYTORCH;
        }
        if (startsWith(head, 0, "\u0089HDF")) {
            return HDF5;
        }
        if (startsWith(head, TAR_MAGIC, "ustar")) {
            return TAR;
        }
        if (startsWith(head, 0, "version https://git-lfs")) {
            return GIT_LFS;
        }
        return isText(head) ? TEXT : UNKNOWN;
    }

    /** The length of the header, then the header, which is JSON. */
    private static boolean isSafeTensors(byte[] head) {
        if (head.length <= Long.BYTES || head[Long.BYTES] != '{') {
            return false;
        }
        long header = ByteBuffer.wrap(head).order(ByteOrder.LITTLE_ENDIAN).getLong();
        return header > 0 && header <= LARGEST_SAFETENSORS_HEADER;
    }

    private static boolean startsWith(byte[] head, int offset, String magic) {
        byte[] expected = magic.getBytes(StandardCharsets.ISO_8859_1);
        return head.length >= offset + expected.length
                && Arrays.equals(head, offset, offset + expected.length, expected, 0, expected.length);
    }

    private static boolean isText(byte[] head) {
        for (byte b : head) {
            if (b >= 0 && b < ' ' && b != '\n' && b != '\r' && b != '\t') {
                return false;
            }
        }
        return true;
    }
}
