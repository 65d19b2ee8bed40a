package dev.velu.device;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_context_desc;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * An execution context on one device: threads or stream, scratch memory, caches of implementations.
 *
 * <p>Used by one thread at a time: a call that finds another thread inside fails with {@link Status#BUSY}. Closing a context
 * releases all memory allocated on it; whatever still refers to that memory throws {@link IllegalStateException} on use.
 * Closing twice is allowed.
 */
public final class Context implements AutoCloseable {
    /** Most threads that a context can be given. */
    public static final int MAX_THREADS = 1024;

    private static final long NAME_CAPACITY = 128;
    private static final long MESSAGE_CAPACITY = 1024;

    private final Device device;
    private final Arena arena;
    private final MemorySegment handle;
    private final Map<Long, Allocation> allocations = new ConcurrentHashMap<>();

    private record Allocation(Arena lifetime, long bytes) {}

    private Context(Device device, Arena arena, MemorySegment handle) {
        this.device = device;
        this.arena = arena;
        this.handle = handle;
    }

    /** A context with all processors of the device and the best instruction set. */
    public static Context open(Device device) {
        return open(device, 0, Isa.AUTO);
    }

    /**
     * @param threads CPU threads per operation; 0 for all that this process may use
     * @param isa instruction set of the CPU backend's own kernels
     * @throws VeluException if the device is unavailable or lacks the instruction set; the message says why
     * @throws IllegalArgumentException if threads is negative or above {@link #MAX_THREADS}
     */
    public static Context open(Device device, int threads, Isa isa) {
        if (threads < 0 || threads > MAX_THREADS) {
            throw new IllegalArgumentException(
                    "threads " + threads + " is outside 0.." + MAX_THREADS + "; 0 uses all processors");
        }
        NativeLibrary.load();
        try (Arena call = Arena.ofConfined()) {
            MemorySegment desc = velu_context_desc.allocate(call);
            velu_context_desc.device(desc, device.kind().ordinal());
            velu_context_desc.device_index(desc, device.index());
            velu_context_desc.threads(desc, threads);
            velu_context_desc.isa(desc, isa.ordinal());
            MemorySegment created = call.allocate(ValueLayout.ADDRESS);
            MemorySegment message = call.allocate(MESSAGE_CAPACITY);
            int status = VeluNative.velu_context_create(desc, created, message, MESSAGE_CAPACITY);
            if (status != VeluNative.VELU_STATUS_SUCCESS()) {
                throw new VeluException(Status.of(status), message.getString(0));
            }
            Arena arena = Arena.ofShared();
            MemorySegment handle = created.get(ValueLayout.ADDRESS, 0)
                    .reinterpret(1, arena, memory -> VeluNative.velu_context_destroy(memory));
            return new Context(device, arena, handle);
        }
    }

    public Device device() {
        return device;
    }

    /** Threads per operation of a CPU context. */
    public int threads() {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment threads = call.allocate(ValueLayout.JAVA_INT);
            check(VeluNative.velu_context_threads(handle(), threads), "velu_context_threads");
            return threads.get(ValueLayout.JAVA_INT, 0);
        }
    }

    /** Bytes of scratch memory the context holds. */
    public long workspaceBytes() {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment bytes = call.allocate(ValueLayout.JAVA_LONG);
            check(VeluNative.velu_context_workspace_size(handle(), bytes), "velu_context_workspace_size");
            return bytes.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    /**
     * Name of the implementation of an operation.
     *
     * @param operation the C function without {@code velu_}, e.g. {@code conv2d_forward}
     * @param desc that operation's descriptor, or NULL where the choice does not depend on it
     */
    public String implementation(String operation, MemorySegment desc) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment name = call.allocate(NAME_CAPACITY);
            check(
                    VeluNative.velu_impl_name(handle(), call.allocateFrom(operation), desc, name, NAME_CAPACITY),
                    "velu_impl_name");
            return name.getString(0);
        }
    }

    /** Waits until all work given to the context has finished. */
    public void synchronize() {
        check(VeluNative.velu_context_synchronize(handle()), "velu_context_synchronize");
    }

    /**
     * Allocates zeroed device memory that lives until {@link #free} or the context's close.
     *
     * @param bytes positive
     * @throws VeluException if memory is exhausted
     */
    public MemorySegment allocate(long bytes) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment memory = call.allocate(ValueLayout.ADDRESS);
            check(VeluNative.velu_memory_allocate(handle(), bytes, memory), "velu_memory_allocate");
            Arena lifetime = Arena.ofShared();
            MemorySegment segment = memory.get(ValueLayout.ADDRESS, 0).reinterpret(bytes, lifetime, this::release);
            allocations.put(segment.address(), new Allocation(lifetime, bytes));
            return segment;
        }
    }

    /** Waits while another thread is inside a call: by now nobody else will release this memory. */
    private void release(MemorySegment memory) {
        int status = VeluNative.velu_memory_free(handle(), memory);
        while (status == VeluNative.VELU_STATUS_BUSY()) {
            Thread.yield();
            status = VeluNative.velu_memory_free(handle(), memory);
        }
        check(status, "velu_memory_free");
    }

    /** Bytes of device memory held: everything allocated and not yet freed, and the scratch memory. */
    public long allocatedBytes() {
        return allocations.values().stream().mapToLong(Allocation::bytes).sum() + workspaceBytes();
    }

    /**
     * Releases memory from {@link #allocate}; memory already released is left alone.
     *
     * @throws IllegalStateException if another thread's call is using this memory; it then stays allocated
     */
    public void free(MemorySegment segment) {
        if (segment.scope().isAlive()) {
            release(segment.address());
        }
    }

    private void release(long address) {
        Allocation allocation = allocations.get(address);
        if (allocation != null) {
            allocation.lifetime().close();
            // Another thread may have been given the same address since.
            allocations.remove(address, allocation);
        }
    }

    /** Copies host memory (native or heap) to device memory of the same size. */
    public void upload(MemorySegment host, MemorySegment memory) {
        copy(host, memory, VeluNative.VELU_COPY_HOST_TO_DEVICE());
    }

    /** Copies device memory to host memory (native or heap) of the same size. */
    public void download(MemorySegment memory, MemorySegment host) {
        copy(memory, host, VeluNative.VELU_COPY_DEVICE_TO_HOST());
    }

    private void copy(MemorySegment source, MemorySegment destination, int direction) {
        if (source.byteSize() != destination.byteSize()) {
            throw new IllegalArgumentException("cannot copy " + source.byteSize() + " bytes to "
                    + destination.byteSize() + " bytes; the sizes must be equal");
        }
        if (device.kind() == Device.Kind.CPU) {
            handle();
            destination.copyFrom(source);
            return;
        }
        try (Arena staging = Arena.ofConfined()) {
            MemorySegment from = source.isNative()
                    ? source
                    : staging.allocate(source.byteSize()).copyFrom(source);
            MemorySegment to = destination.isNative() ? destination : staging.allocate(destination.byteSize());
            check(VeluNative.velu_memory_copy(handle(), direction, from, to, source.byteSize()), "velu_memory_copy");
            if (!destination.isNative()) {
                destination.copyFrom(to);
            }
        }
    }

    /**
     * The native {@code velu_context*} for calls of the bindings.
     *
     * @throws IllegalStateException after close
     */
    public MemorySegment handle() {
        if (!handle.scope().isAlive()) {
            throw new IllegalStateException("this context on " + device + " is closed");
        }
        return handle;
    }

    /**
     * Throws if a native call on this context failed.
     *
     * @throws VeluException with the context's message
     */
    public void check(int status, String function) {
        if (status == VeluNative.VELU_STATUS_SUCCESS()) {
            return;
        }
        Status code = Status.of(status);
        if (code == Status.BUSY) {
            throw new VeluException(
                    code,
                    function + ": another thread is using this context on " + device
                            + "; give each thread a context of its own or take turns");
        }
        String message = VeluNative.velu_context_last_error(handle()).getString(0);
        throw new VeluException(code, message.isEmpty() ? function + ": " + code : message);
    }

    /**
     * Releases the context and all memory allocated on it.
     *
     * @throws VeluException with {@link Status#BUSY} if another thread is inside a call; the context then stays open
     */
    @Override
    public synchronized void close() {
        if (!handle.scope().isAlive()) {
            return;
        }
        synchronize();
        for (long address : Map.copyOf(allocations).keySet()) {
            release(address);
        }
        arena.close();
    }

    @Override
    public String toString() {
        return "Context[" + device + "]";
    }
}
