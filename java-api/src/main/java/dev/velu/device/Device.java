package dev.velu.device;

import java.util.Locale;

/** One device: its kind and its index among the devices of that kind. Written {@code cpu} or {@code cuda:0}. */
public record Device(Kind kind, int index) {
    /** Kinds of device; the order is that of {@code VELU_DEVICE_*} in {@code velu.h}. */
    public enum Kind {
        /** The processor this program runs on; there is one. */
        CPU,
        /** An NVIDIA GPU. */
        CUDA
    }

    /**
     * Checks the index.
     *
     * @throws IllegalArgumentException if the index is negative
     */
    public Device {
        if (index < 0) {
            throw new IllegalArgumentException("device index " + index + " is negative");
        }
    }

    /** The CPU. */
    public static Device cpu() {
        return new Device(Kind.CPU, 0);
    }

    /** A CUDA device, whether there is one or not. */
    public static Device cuda(int index) {
        return new Device(Kind.CUDA, index);
    }

    /**
     * Parses {@code auto}, {@code cpu}, {@code cuda} or {@code cuda:INDEX}. {@code auto} is the first CUDA device if its backend
     * is available, else the CPU.
     *
     * @throws IllegalArgumentException for anything else
     */
    public static Device parse(String text) {
        String name = text.toLowerCase(Locale.ROOT);
        if (name.equals("auto")) {
            return BackendInfo.query(Kind.CUDA).available() ? cuda(0) : cpu();
        }
        if (name.equals("cpu")) {
            return cpu();
        }
        if (name.equals("cuda")) {
            return cuda(0);
        }
        if (name.matches("cuda:\\d{1,4}")) {
            return cuda(Integer.parseInt(name.substring(5)));
        }
        throw new IllegalArgumentException("unknown device '" + text + "'; use auto, cpu, cuda or cuda:INDEX");
    }

    @Override
    public String toString() {
        return kind == Kind.CPU ? "cpu" : "cuda:" + index;
    }
}
