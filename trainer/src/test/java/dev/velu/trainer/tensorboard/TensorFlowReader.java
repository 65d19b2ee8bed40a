package dev.velu.trainer.tensorboard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Event files as TensorFlow's own classes read them: its TFRecord reader checks lengths and checksums, its {@code Event} is
 * generated from its {@code event.proto}. They are loaded apart from everything else, because their protobuf is another one.
 */
public final class TensorFlowReader {
    private static final Path JARS = Path.of(System.getProperty("velu.test.tensorflow", "target/tensorflow"));

    private TensorFlowReader() {}

    /** Every event of a file in protobuf's text format. Skips the test where the build did not fetch the classes. */
    public static List<String> events(Path file) throws Exception {
        assumeTrue(Files.isDirectory(JARS), "TensorFlow's classes are not in " + JARS.toAbsolutePath());
        List<URL> jars = new ArrayList<>();
        try (Stream<Path> files = Files.list(JARS)) {
            for (Path jar : files.toList()) {
                jars.add(jar.toUri().toURL());
            }
        }
        assertThat(jars).hasSize(4);
        List<String> events = new ArrayList<>();
        try (URLClassLoader apart = new URLClassLoader(jars.toArray(URL[]::new), ClassLoader.getPlatformClassLoader());
                InputStream in = new ByteArrayInputStream(Files.readAllBytes(file))) {
            Class<?> readerClass = apart.loadClass("org.tensorflow.hadoop.util.TFRecordReader");
            Object reader =
                    readerClass.getConstructor(InputStream.class, boolean.class).newInstance(in, true);
            Class<?> eventClass = apart.loadClass("org.tensorflow.util.Event");
            for (byte[] record = read(reader); record != null; record = read(reader)) {
                events.add(eventClass
                        .getMethod("parseFrom", byte[].class)
                        .invoke(null, (Object) record)
                        .toString());
            }
        }
        return events;
    }

    private static byte[] read(Object reader) throws Exception {
        try {
            return (byte[]) reader.getClass().getMethod("read").invoke(reader);
        } catch (InvocationTargetException e) {
            throw new IOException("TensorFlow refuses the record", e.getCause());
        }
    }
}
