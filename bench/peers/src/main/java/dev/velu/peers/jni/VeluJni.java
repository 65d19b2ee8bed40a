package dev.velu.peers.jni;

import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.annotation.ByPtrPtr;
import org.bytedeco.javacpp.annotation.Cast;
import org.bytedeco.javacpp.annotation.Const;
import org.bytedeco.javacpp.annotation.MemberSetter;
import org.bytedeco.javacpp.annotation.Name;
import org.bytedeco.javacpp.annotation.NoException;
import org.bytedeco.javacpp.annotation.Opaque;
import org.bytedeco.javacpp.annotation.Platform;

/**
 * Functions of velu.h over JNI: JavaCPP makes the C++ from these declarations when the module is built. A rival for the cost of a call;
 * what is not needed for that is not here.
 */
@Platform(include = "velu/velu.h", link = "velu")
@NoException
public final class VeluJni {
    /** Name of the library with the glue. */
    public static final String GLUE = "libjniVeluJni.so";

    private VeluJni() {}

    /**
     * Loads the library and the glue.
     *
     * @param velu {@code libvelu.so}
     * @param glue {@value #GLUE}, which the build of this module makes
     * @throws IllegalArgumentException if one of them is missing
     */
    public static void load(Path velu, Path glue) {
        for (Path library : new Path[] {velu, glue}) {
            if (!Files.isRegularFile(library)) {
                throw new IllegalArgumentException(
                        "no library " + library + "; build it with 'mvn -pl bench/peers -am -DskipTests package'");
            }
        }
        // JavaCPP's own loader would copy the libraries into the user's home.
        System.setProperty("org.bytedeco.javacpp.loadLibraries", "false");
        System.load(velu.toAbsolutePath().toString());
        System.load(glue.toAbsolutePath().toString());
    }

    /** The glue, where the build puts it: beside the jar and the folder of classes of this module. */
    public static Path glue() {
        try {
            Path classes = Path.of(VeluJni.class
                    .getProtectionDomain()
                    .getCodeSource()
                    .getLocation()
                    .toURI());
            return classes.toAbsolutePath().resolveSibling("javacpp").resolve(GLUE);
        } catch (URISyntaxException e) {
            throw new IllegalStateException("this module lies at no path", e);
        }
    }

    /** {@code velu_context}. */
    @Name("velu_context")
    @Opaque
    public static final class Context extends Pointer {
        Context() {
            super((Pointer) null);
        }

        Context(Pointer p) {
            super(p);
        }
    }

    /** {@code velu_context_desc}, zeroed. */
    @Name("velu_context_desc")
    static final class ContextDesc extends Pointer {
        ContextDesc() {
            super((Pointer) null);
            allocate();
            zero();
        }

        private native void allocate();

        @MemberSetter
        native ContextDesc threads(int value);
    }

    /** {@code velu_velu_desc}, zeroed. */
    @Name("velu_velu_desc")
    public static final class Desc extends Pointer {
        /** VeLU with the released constants. */
        public Desc(long rows, long channels) {
            super((Pointer) null);
            allocate();
            zero();
            rows(rows);
            channels(channels);
            alpha(0.1f);
            beta1(0.1f);
            beta2(0.1f);
            gamma(0.1f);
            mu(0.9f);
            eps(1e-6f);
        }

        private native void allocate();

        @MemberSetter
        private native Desc rows(long value);

        @MemberSetter
        private native Desc channels(long value);

        @MemberSetter
        @Name("params.alpha")
        private native Desc alpha(float value);

        @MemberSetter
        @Name("params.beta1")
        private native Desc beta1(float value);

        @MemberSetter
        @Name("params.beta2")
        private native Desc beta2(float value);

        @MemberSetter
        @Name("params.gamma")
        private native Desc gamma(float value);

        @MemberSetter
        @Name("params.mu")
        private native Desc mu(float value);

        @MemberSetter
        @Name("params.eps")
        private native Desc eps(float value);
    }

    /** {@code velu_abi_version}. */
    @Name("velu_abi_version")
    @Cast("unsigned int")
    public static native int abiVersion();

    /** {@code velu_velu_forward}; lambda and moments may be null. */
    @Name("velu_velu_forward")
    public static native int forward(
            Context context,
            @Const Desc desc,
            FloatPointer x,
            FloatPointer lambda,
            FloatPointer y,
            FloatPointer moments);

    @Name("velu_context_create")
    private static native int create(
            @Const ContextDesc desc,
            @ByPtrPtr Context context,
            @Cast("char*") Pointer message,
            @Cast("size_t") long messageCapacity);

    @Name("velu_context_destroy")
    private static native int destroy(Context context);

    /** A context on the CPU with one thread. */
    public static Context open() {
        Context context = new Context();
        try (ContextDesc desc = new ContextDesc()) {
            int status = create(desc.threads(1), context, null, 0);
            if (status != 0) {
                throw new IllegalStateException("velu_context_create gave status " + status);
            }
        }
        return context;
    }

    /** Releases a context. */
    public static void close(Context context) {
        destroy(context);
        context.setNull();
    }
}
