package dev.velu.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNoException;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.velu.op.Velu;
import dev.velu.op.VeluParameters;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, unit = TimeUnit.SECONDS)
class ContextTest {
    private static final Velu VELU = new Velu(VeluParameters.released(), 0);

    private static Context open() {
        return Context.open(Device.cpu(), 1, Isa.AUTO);
    }

    @Test
    void hasTheThreadsItWasOpenedWith() {
        try (Context context = Context.open(Device.cpu(), 2, Isa.AUTO)) {
            assertThat(context.threads()).isEqualTo(2);
        }
    }

    @Test
    void takesAllProcessorsByDefault() {
        try (Context context = Context.open(Device.cpu())) {
            assertThat(context.threads()).isPositive();
        }
    }

    @Test
    void threadsOutOfRangeAreNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Context.open(Device.cpu(), -1, Isa.AUTO))
                .withMessageContaining("threads -1")
                .withMessageContaining("0..1024");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Context.open(Device.cpu(), 1025, Isa.AUTO))
                .withMessageContaining("1025");
    }

    @Test
    void aDeviceThatDoesNotExistIsNamed() {
        assertThatExceptionOfType(VeluException.class)
                .isThrownBy(() -> Context.open(new Device(Device.Kind.CPU, 7)))
                .withMessageContaining("7")
                .satisfies(e -> assertThat(e.status()).isEqualTo(Status.INVALID_ARGUMENT));
    }

    @Test
    void anUnavailableDeviceSaysWhy() {
        assumeFalse(BackendInfo.query(Device.Kind.CUDA).available(), "this machine has a CUDA device");
        assertThat(BackendInfo.query(Device.Kind.CUDA).reason()).isNotBlank();
        assertThatExceptionOfType(VeluException.class)
                .isThrownBy(() -> Context.open(Device.cuda(0)))
                .withMessageContaining(BackendInfo.query(Device.Kind.CUDA).reason())
                .satisfies(e -> assertThat(e.status()).isEqualTo(Status.BACKEND_UNAVAILABLE));
    }

    @Test
    void useAfterCloseIsAnIllegalState() {
        Context context = open();
        context.close();
        assertThatIllegalStateException().isThrownBy(context::threads).withMessageContaining("closed");
        assertThatIllegalStateException().isThrownBy(context::synchronize).withMessageContaining("closed");
        assertThatIllegalStateException().isThrownBy(() -> context.allocate(64)).withMessageContaining("closed");
        assertThatIllegalStateException()
                .isThrownBy(() -> Tensor.allocate(context, DType.F32, 4))
                .withMessageContaining("closed");
    }

    @Test
    void operationsAfterCloseAreAnIllegalState() {
        try (Arena arena = Arena.ofConfined()) {
            Context context = open();
            Tensor x = Tensor.wrap(context, arena.allocate(16, 4), DType.F32, 1, 4);
            context.close();
            assertThatIllegalStateException()
                    .isThrownBy(() -> VELU.forward(context, x, null, x, null))
                    .withMessageContaining("closed");
        }
    }

    @Test
    void closingTwiceIsAllowed() {
        Context context = open();
        context.close();
        assertThatNoException().isThrownBy(context::close);
    }

    @Test
    void closingReleasesItsTensors() {
        Context context = open();
        Tensor tensor = Tensor.allocate(context, DType.F32, 8);
        context.close();
        assertThatIllegalStateException().isThrownBy(tensor::segment).withMessageContaining("closed");
        assertThatIllegalStateException().isThrownBy(tensor::toFloatArray);
        assertThatNoException().isThrownBy(tensor::close);
    }

    @Test
    void freeingTwiceIsAllowed() {
        try (Context context = open()) {
            MemorySegment memory = context.allocate(64);
            context.free(memory);
            assertThatNoException().isThrownBy(() -> context.free(memory));
        }
    }

    @Test
    void allocatedMemoryIsZeroAndAligned() {
        try (Context context = open()) {
            MemorySegment memory = context.allocate(1000);
            assertThat(memory.address() % 64).isZero();
            assertThat(memory.byteSize()).isEqualTo(1000);
            assertThat(memory.mismatch(MemorySegment.ofArray(new byte[1000]))).isEqualTo(-1);
        }
    }

    @Test
    void aSizeThatIsNotPositiveIsNamed() {
        try (Context context = open()) {
            assertThatExceptionOfType(VeluException.class)
                    .isThrownBy(() -> context.allocate(-5))
                    .withMessageContaining("-5")
                    .satisfies(e -> assertThat(e.status()).isEqualTo(Status.INVALID_ARGUMENT));
            assertThatExceptionOfType(VeluException.class).isThrownBy(() -> context.allocate(0));
        }
    }

    @Test
    void moreMemoryThanThereIsSaysHowMuchIsFree() {
        try (Context context = open()) {
            assertThatExceptionOfType(VeluException.class)
                    .isThrownBy(() -> context.allocate(1L << 46))
                    .withMessageMatching(
                            "cpu is out of memory: 67108864 MiB are asked for, \\d+ of \\d+ MiB are free;.*")
                    .satisfies(e -> assertThat(e.status()).isEqualTo(Status.OUT_OF_MEMORY));
        }
    }

    @Test
    void optionsReachTheContext() {
        ContextOptions options =
                ContextOptions.defaults().withThreads(2).withIsa(Isa.BASELINE).withTf32(true);
        assertThat(options).isEqualTo(new ContextOptions(2, Isa.BASELINE, true));
        try (Context context = Context.open(Device.cpu(), options)) {
            assertThat(context.threads()).isEqualTo(2);
            assertThat(context.implementation("velu_forward", MemorySegment.NULL))
                    .isEqualTo("baseline");
        }
    }

    @Test
    void hostMemoryIsZeroAlignedAndGoneAfterClose() {
        Context context = open();
        MemorySegment memory = context.allocateHost(1000);
        assertThat(memory.address() % 64).isZero();
        assertThat(memory.mismatch(MemorySegment.ofArray(new byte[1000]))).isEqualTo(-1);
        MemorySegment freed = context.allocateHost(10);
        context.freeHost(freed);
        assertThatNoException().isThrownBy(() -> context.freeHost(freed));
        context.close();
        assertThatIllegalStateException().isThrownBy(() -> memory.get(ValueLayout.JAVA_BYTE, 0));
    }

    @Test
    void hostMemoryIsNotCountedAsDeviceMemory() {
        try (Context context = open()) {
            long before = context.allocatedBytes();
            context.allocateHost(1000);
            assertThat(context.allocatedBytes()).isEqualTo(before);
        }
    }

    @Test
    void copiesThatDoNotWaitAreDoneAtOnceOnTheCpu() {
        try (Context context = open()) {
            MemorySegment host = context.allocateHost(64);
            MemorySegment a = context.allocate(64);
            MemorySegment b = context.allocate(64);
            MemorySegment back = context.allocateHost(64);
            host.fill((byte) 3);
            context.uploadAsync(host, a, Stream.TRANSFER);
            context.copyAsync(a, b, Stream.COMPUTE);
            context.downloadAsync(b, back, Stream.COMPUTE);
            assertThat(back.mismatch(host)).isEqualTo(-1);
        }
    }

    @Test
    void copiesThatDoNotWaitNeedNativeLiveMemoryOfTheSameSize() {
        try (Context context = open()) {
            MemorySegment memory = context.allocate(64);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> context.uploadAsync(MemorySegment.ofArray(new byte[64]), memory, Stream.TRANSFER))
                    .withMessageContaining("on the Java heap");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> context.uploadAsync(context.allocateHost(65), memory, Stream.TRANSFER))
                    .withMessageContaining("cannot copy 65 bytes to 64 bytes");
            MemorySegment freed = context.allocateHost(64);
            context.freeHost(freed);
            assertThatIllegalStateException()
                    .isThrownBy(() -> context.downloadAsync(memory, freed, Stream.TRANSFER))
                    .withMessageContaining("already released");
        }
    }

    @Test
    void copiesOfDifferentSizesAreRefused() {
        try (Context context = open()) {
            MemorySegment memory = context.allocate(64);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> context.upload(MemorySegment.ofArray(new byte[65]), memory))
                    .withMessageContaining("65")
                    .withMessageContaining("64");
        }
    }

    @Test
    void anUnknownOperationHasNoImplementation() {
        try (Context context = open()) {
            assertThatExceptionOfType(VeluException.class)
                    .isThrownBy(() -> context.implementation("no_such_operation", MemorySegment.NULL))
                    .withMessageContaining("no_such_operation");
            assertThat(context.implementation("velu_forward", MemorySegment.NULL))
                    .isNotBlank();
        }
    }

    @Test
    void twoThreadsOnOneContextAreServedOrToldItIsBusy() throws InterruptedException {
        int rounds = 60;
        float[] values = new float[256 * 1024];
        Arrays.fill(values, 0.5f);
        Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
        AtomicInteger served = new AtomicInteger();
        AtomicInteger busy = new AtomicInteger();
        try (Context context = open();
                Tensor x = Tensor.allocate(context, DType.F32, 1024, 256).set(values);
                Tensor a = Tensor.allocate(context, DType.F32, 1024, 256);
                Tensor b = Tensor.allocate(context, DType.F32, 1024, 256)) {
            CountDownLatch start = new CountDownLatch(2);
            Thread[] threads = new Thread[2];
            for (int t = 0; t < 2; t++) {
                Tensor y = t == 0 ? a : b;
                threads[t] = Thread.ofPlatform().start(() -> {
                    start.countDown();
                    for (int done = 0; done < rounds || (busy.get() == 0 && done < 100 * rounds); ) {
                        try {
                            start.await();
                            VELU.forward(context, x, null, y, null);
                            served.incrementAndGet();
                            done++;
                        } catch (VeluException e) {
                            if (e.status() != Status.BUSY || !e.getMessage().contains("another thread")) {
                                failures.add(e);
                                return;
                            }
                            busy.incrementAndGet();
                        } catch (Throwable e) {
                            failures.add(e);
                            return;
                        }
                    }
                });
            }
            for (Thread thread : threads) {
                thread.join();
            }
            assertThat(failures).isEmpty();
            assertThat(served).hasValueGreaterThanOrEqualTo(2 * rounds);
            assertThat(busy).hasPositiveValue();
            assertThat(a.toFloatArray()).isEqualTo(b.toFloatArray());
        }
    }

    @Test
    void closingWhileAnotherThreadComputesIsBusyOrStopsIt() throws InterruptedException {
        Context context = open();
        Tensor x = Tensor.allocate(context, DType.F32, 4096, 256);
        AtomicBoolean stopped = new AtomicBoolean();
        Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
        CountDownLatch computing = new CountDownLatch(1);
        Thread worker = Thread.ofPlatform().start(() -> {
            while (!stopped.get()) {
                try {
                    VELU.forward(context, x, null, x, null);
                    computing.countDown();
                } catch (IllegalStateException closed) {
                    stopped.set(true);
                } catch (VeluException e) {
                    if (e.status() != Status.BUSY) {
                        failures.add(e);
                        stopped.set(true);
                    }
                } catch (Throwable e) {
                    failures.add(e);
                    stopped.set(true);
                }
            }
        });
        computing.await();
        for (boolean closed = false; !closed; ) {
            try {
                context.close();
                closed = true;
            } catch (VeluException e) {
                assertThat(e.status()).isEqualTo(Status.BUSY);
            } catch (IllegalStateException e) {
                assertThat(e).hasMessageContaining("acquired");
            }
        }
        worker.join();
        assertThat(failures).isEmpty();
        assertThatIllegalStateException().isThrownBy(context::threads);
    }

    @Test
    void contextsOfTheirOwnComputeAtTheSameTime() throws InterruptedException {
        Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
        Thread[] threads = new Thread[4];
        for (int t = 0; t < threads.length; t++) {
            threads[t] = Thread.ofVirtual().start(() -> {
                try (Context context = open();
                        Tensor x = Tensor.allocate(context, DType.F32, 512, 64)) {
                    for (int i = 0; i < 20; i++) {
                        VELU.forward(context, x, null, x, null);
                    }
                } catch (Throwable e) {
                    failures.add(e);
                }
            });
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failures).isEmpty();
    }
}
