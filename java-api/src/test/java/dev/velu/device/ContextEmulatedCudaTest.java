package dev.velu.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.velu.op.EmulatedCuda;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class ContextEmulatedCudaTest {
    private static final long BYTES = 4096;

    @AutoClose
    private final Context context = EmulatedCuda.open();

    @Test
    void copiesOfBothStreamsAreOrderedByAnEvent() {
        MemorySegment from = context.allocateHost(BYTES);
        MemorySegment to = context.allocateHost(BYTES);
        MemorySegment staging = context.allocate(BYTES);
        MemorySegment memory = context.allocate(BYTES);
        from.fill((byte) 7);
        try (Event uploaded = Event.create(context);
                Event done = Event.create(context)) {
            context.uploadAsync(from, staging, Stream.TRANSFER);
            uploaded.record(Stream.TRANSFER);
            uploaded.makeWait(Stream.COMPUTE);
            context.copyAsync(staging, memory, Stream.COMPUTE);
            context.downloadAsync(memory, to, Stream.COMPUTE);
            done.record(Stream.COMPUTE);
            done.synchronize();
            assertThat(to.mismatch(from)).isEqualTo(-1);
            assertThat(done.millisecondsSince(uploaded)).isNotNegative();
        }
    }

    @Test
    void aLibraryIsEitherNamedWithItsVersionOrLacking() {
        BackendInfo cuda = BackendInfo.query(Device.Kind.CUDA);
        boolean found = cuda.libraries().lines().anyMatch(line -> line.matches(".*cuDNN \\d.*"));
        assertThat(cuda.lacks("cuDNN")).as(cuda.libraries()).isEqualTo(!found);
    }

    @Test
    void heapMemoryIsCopiedByWaiting() {
        MemorySegment memory = context.allocate(16);
        context.upload(MemorySegment.ofArray(new int[] {1, 2, 3, 4}), memory);
        int[] read = new int[4];
        context.download(memory, MemorySegment.ofArray(read));
        assertThat(read).containsExactly(1, 2, 3, 4);
    }

    @Test
    void freshMemoryIsZero() {
        MemorySegment memory = context.allocate(BYTES);
        MemorySegment read = context.allocateHost(BYTES);
        read.fill((byte) 1);
        context.download(memory, read);
        assertThat(read.toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
    }

    @Test
    void onlyDeviceMemoryIsCounted() {
        long before = context.allocatedBytes();
        context.allocateHost(BYTES);
        assertThat(context.allocatedBytes()).isEqualTo(before);
        MemorySegment memory = context.allocate(BYTES);
        assertThat(context.allocatedBytes()).isEqualTo(before + BYTES);
        context.free(memory);
        assertThat(context.allocatedBytes()).isEqualTo(before);
    }

    @Test
    void moreMemoryThanThereIsSaysWhatIsAskedForAndFree() {
        assertThatExceptionOfType(VeluException.class)
                .isThrownBy(() -> context.allocate(1L << 46))
                .withMessageMatching(
                        "cuda:0 is out of memory: 67108864 MiB are asked for, \\d+ of \\d+ MiB are free;.*")
                .satisfies(e -> assertThat(e.status()).isEqualTo(Status.OUT_OF_MEMORY));
    }

    @Test
    void closingWaitsForCopiesUnderWay() {
        MemorySegment host = context.allocateHost(BYTES);
        MemorySegment memory = context.allocate(BYTES);
        for (int i = 0; i < 16; i++) {
            context.uploadAsync(host, memory, Stream.TRANSFER);
            context.downloadAsync(memory, host, Stream.COMPUTE);
        }
        context.close();
        assertThat(context.isOpen()).isFalse();
    }
}
