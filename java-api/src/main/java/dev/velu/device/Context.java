package dev.velu.device;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_context_desc;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * An execution context on one device: threads or streams, scratch memory, caches of implementations.
 *
 * <p>Used by one thread at a time: a call that finds another thread inside fails with {@link Status#BUSY}. Closing a context
 * releases its events, recorded graphs and all memory allocated on it; whatever still refers to them throws
 * {@link IllegalStateException} on use. Closing twice is allowed.
 *
 * <p>On CUDA, operations are put on {@link Stream#COMPUTE} and return before they are done; {@link #upload},
 * {@link #download} and {@link #synchronize} wait. Device memory is not readable from Java there.
 */
public final class Context implements AutoCloseable {
    /** Most threads that a context can be given. */
    public static final int MAX_THREADS = 1024;

    private static final long NAME_CAPACITY = 128;
    private static final long MESSAGE_CAPACITY = 1024;
    private static final long MIB = 1 << 20;

    private final Device device;
    private final Arena arena;
    private final MemorySegment handle;
    private final Map<Long, Owned> owned = new ConcurrentHashMap<>();

    /** What a native object of this context is, by what has to be released first. */
    private enum Kind {
        EVENT_OR_GRAPH,
        MEMORY
    }

    /**
     * A native object of this context.
     *
     * @param lifetime releases it at its end
     * @param deviceBytes of device memory; 0 for anything else
     */
    private record Owned(Arena lifetime, Kind kind, long deviceBytes) {}

    /** The C function that releases an object. */
    @FunctionalInterface
    interface Release {
        int call(MemorySegment context, MemorySegment object);
    }

    private Context(Device device, Arena arena, MemorySegment handle) {
        this.device = device;
        this.arena = arena;
        this.handle = handle;
    }

    /** A context with {@link ContextOptions#defaults}. */
    public static Context open(Device device) {
        return open(device, ContextOptions.defaults());
    }

    /** A context with {@link ContextOptions#defaults}, but for these. */
    public static Context open(Device device, int threads, Isa isa) {
        return open(device, ContextOptions.defaults().withThreads(threads).withIsa(isa));
    }

    /**
     * Opens a context with these options.
     *
     * @throws VeluException if the device is unavailable or lacks the instruction set; the message says why
     */
    public static Context open(Device device, ContextOptions options) {
        BackendInfo.requireAvailable(device);
        try (Arena call = Arena.ofConfined()) {
            MemorySegment desc = velu_context_desc.allocate(call);
            velu_context_desc.device(desc, device.kind().ordinal());
            velu_context_desc.device_index(desc, device.index());
            velu_context_desc.threads(desc, options.threads());
            velu_context_desc.isa(desc, options.isa().ordinal());
            velu_context_desc.allow_tf32(desc, options.allowTf32() ? 1 : 0);
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

    /** The device it runs on. */
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
     * @throws VeluException if memory is exhausted; says how much is asked for, free and there at all
     */
    public MemorySegment allocate(long bytes) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment memory = call.allocate(ValueLayout.ADDRESS);
            int status = VeluNative.velu_memory_allocate(handle(), bytes, memory);
            if (status == VeluNative.VELU_STATUS_OUT_OF_MEMORY()) {
                throw outOfMemory(bytes);
            }
            check(status, "velu_memory_allocate");
            return adopt(
                    memory.get(ValueLayout.ADDRESS, 0),
                    bytes,
                    Kind.MEMORY,
                    bytes,
                    VeluNative::velu_memory_free,
                    "velu_memory_free");
        }
    }

    private VeluException outOfMemory(long bytes) {
        DeviceInfo info = DeviceInfo.query(device);
        return new VeluException(
                Status.OUT_OF_MEMORY,
                device + " is out of memory: " + Math.ceilDiv(bytes, MIB) + " MiB are asked for, "
                        + info.memoryFree() / MIB + " of " + info.memoryTotal() / MIB
                        + " MiB are free; ask for less or release some first");
    }

    /**
     * Allocates zeroed host memory that any thread may use and that lives until {@link #freeHost} or the context's close. On
     * CUDA it is page-locked, so that copies from and to it run beside other work; there is less of such memory than of
     * other.
     *
     * @param bytes positive
     * @throws VeluException if memory is exhausted
     */
    public MemorySegment allocateHost(long bytes) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment memory = call.allocate(ValueLayout.ADDRESS);
            check(VeluNative.velu_host_memory_allocate(handle(), bytes, memory), "velu_host_memory_allocate");
            return adopt(
                    memory.get(ValueLayout.ADDRESS, 0),
                    bytes,
                    Kind.MEMORY,
                    0,
                    VeluNative::velu_host_memory_free,
                    "velu_host_memory_free");
        }
    }

    /** Makes an event or a graph this context's: it is released by {@link #free} or the context's close. */
    MemorySegment adopt(MemorySegment object, Release release, String function) {
        return adopt(object, 1, Kind.EVENT_OR_GRAPH, 0, release, function);
    }

    private MemorySegment adopt(
            MemorySegment object, long bytes, Kind kind, long deviceBytes, Release release, String function) {
        Arena lifetime = Arena.ofShared();
        MemorySegment segment = object.reinterpret(bytes, lifetime, ended -> release(release, ended, function));
        owned.put(segment.address(), new Owned(lifetime, kind, deviceBytes));
        return segment;
    }

    /** Waits while another thread is inside a call: by now nobody else will release this object. */
    private void release(Release release, MemorySegment object, String function) {
        int status = release.call(handle(), object);
        while (status == VeluNative.VELU_STATUS_BUSY()) {
            Thread.yield();
            status = release.call(handle(), object);
        }
        check(status, function);
    }

    /** Bytes of device memory held: everything allocated and not yet freed, and the scratch memory. */
    public long allocatedBytes() {
        return owned.values().stream().mapToLong(Owned::deviceBytes).sum() + workspaceBytes();
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

    /**
     * Releases memory from {@link #allocateHost}; memory already released is left alone.
     *
     * @throws IllegalStateException if another thread's call is using this memory; it then stays allocated
     */
    public void freeHost(MemorySegment segment) {
        free(segment);
    }

    private void release(long address) {
        Owned object = owned.get(address);
        if (object == null) {
            return;
        }
        try {
            object.lifetime().close();
        } finally {
            // Not if it is in use and stays. Another thread may have been given the same address since.
            if (!object.lifetime().scope().isAlive()) {
                owned.remove(address, object);
            }
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
        requireSameSize(source, destination);
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
     * Puts a copy of host memory to device memory of the same size on a stream, and returns. The host memory must stay
     * unchanged and allocated until the copy is done; only from {@link #allocateHost} does it copy beside other work.
     *
     * @throws IllegalArgumentException if the sizes differ or memory is on the Java heap
     */
    public void uploadAsync(MemorySegment host, MemorySegment memory, Stream stream) {
        copyAsync(host, memory, VeluNative.VELU_COPY_HOST_TO_DEVICE(), stream);
    }

    /**
     * Puts a copy of device memory to host memory of the same size on a stream, and returns. The host memory holds it when the
     * copy is done; see {@link #uploadAsync}.
     */
    public void downloadAsync(MemorySegment memory, MemorySegment host, Stream stream) {
        copyAsync(memory, host, VeluNative.VELU_COPY_DEVICE_TO_HOST(), stream);
    }

    /** Puts a copy between device memory of the same size on a stream, and returns. */
    public void copyAsync(MemorySegment source, MemorySegment destination, Stream stream) {
        copyAsync(source, destination, VeluNative.VELU_COPY_DEVICE_TO_DEVICE(), stream);
    }

    private void copyAsync(MemorySegment source, MemorySegment destination, int direction, Stream stream) {
        requireSameSize(source, destination);
        requireNative(source);
        requireNative(destination);
        check(
                VeluNative.velu_memory_copy_async(
                        handle(), stream.ordinal(), direction, source, destination, source.byteSize()),
                "velu_memory_copy_async");
    }

    private static void requireSameSize(MemorySegment source, MemorySegment destination) {
        if (source.byteSize() != destination.byteSize()) {
            throw new IllegalArgumentException("cannot copy " + source.byteSize() + " bytes to "
                    + destination.byteSize() + " bytes; the sizes must be equal");
        }
    }

    private static void requireNative(MemorySegment segment) {
        if (!segment.isNative()) {
            throw new IllegalArgumentException("memory of " + segment.byteSize()
                    + " bytes is on the Java heap, which moves; allocate it with Context.allocateHost or an Arena");
        }
        if (!segment.scope().isAlive()) {
            throw new IllegalStateException("memory of " + segment.byteSize() + " bytes is already released");
        }
    }

    /** Whether {@link #close} was not called yet. */
    public boolean isOpen() {
        return handle.scope().isAlive();
    }

    /**
     * The native {@code velu_context*} for calls of the bindings.
     *
     * @throws IllegalStateException after close
     */
    public MemorySegment handle() {
        if (!isOpen()) {
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
     * Releases the context after its work has finished: its events and graphs, then all memory allocated on it.
     *
     * @throws VeluException with {@link Status#BUSY} if another thread is inside a call; the context then stays open. Any
     *     other failure, e.g. of the device in work given before, is thrown after everything was released
     */
    @Override
    public synchronized void close() {
        if (!isOpen()) {
            return;
        }
        RuntimeException failure = null;
        try {
            synchronize();
        } catch (VeluException e) {
            if (e.status() == Status.BUSY) {
                throw e;
            }
            failure = e;
        }
        for (Kind kind : Kind.values()) {
            for (Map.Entry<Long, Owned> object : Map.copyOf(owned).entrySet()) {
                if (object.getValue().kind() == kind) {
                    try {
                        release(object.getKey());
                    } catch (VeluException e) {
                        failure = failure == null ? e : failure;
                    }
                }
            }
        }
        arena.close();
        if (failure != null) {
            throw failure;
        }
    }

    @Override
    public String toString() {
        return "Context[" + device + "]";
    }
}
