package dev.velu.peers;

import dev.velu.peers.jni.VeluJni;
import java.nio.file.Path;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Calls of one of our functions through JavaCPP's JNI, many in a run.
 *
 * @param function {@code velu_abi_version} or {@code velu_velu_forward}
 * @param channels of the one row that VeLU is applied to
 * @param calls in a run, positive
 * @param library {@code libvelu.so}
 */
public record JniCallTask(String function, long channels, int calls, String library) implements Task {
    @Override
    public String load(int threads) {
        VeluJni.load(Path.of(library), VeluJni.glue());
        String version = FloatPointer.class.getPackage().getImplementationVersion();
        return "JavaCPP" + (version == null ? "" : " " + version);
    }

    @Override
    public Work prepare(int threads) {
        return switch (function) {
            case "velu_abi_version" -> new AbiVersion(calls);
            case "velu_velu_forward" -> new Forward(channels, calls);
            default ->
                throw new IllegalArgumentException(
                        "function '" + function + "' is not bound; use velu_abi_version or velu_velu_forward");
        };
    }

    private static final class AbiVersion implements Work {
        private final int calls;
        private int sum;

        AbiVersion(int calls) {
            this.calls = calls;
        }

        @Override
        public void run() {
            int versions = 0;
            for (int i = 0; i < calls; i++) {
                versions += VeluJni.abiVersion();
            }
            sum += versions;
        }

        @Override
        public void close() {}
    }

    private static final class Forward implements Work {
        private final int calls;
        private final VeluJni.Context context = VeluJni.open();
        private final VeluJni.Desc desc;
        private final FloatPointer x;
        private final FloatPointer y;

        Forward(long channels, int calls) {
            this.calls = calls;
            desc = new VeluJni.Desc(1, channels);
            x = new FloatPointer(channels);
            y = new FloatPointer(channels);
            for (long i = 0; i < channels; i++) {
                x.put(i, 0.25f * i - 1);
            }
        }

        @Override
        public void run() {
            int failed = 0;
            for (int i = 0; i < calls; i++) {
                failed |= VeluJni.forward(context, desc, x, null, y, null);
            }
            if (failed != 0) {
                throw new IllegalStateException("velu_velu_forward gave status " + failed);
            }
        }

        @Override
        public void close() {
            VeluJni.close(context);
            desc.close();
            x.close();
            y.close();
        }
    }
}
