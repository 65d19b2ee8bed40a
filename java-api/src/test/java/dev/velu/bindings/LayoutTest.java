package dev.velu.bindings;

import static org.assertj.core.api.Assertions.assertThat;

import dev.velu.device.NativeLibrary;
import java.io.IOException;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The generated layouts against the table of sizes and offsets that the native library was compiled with. */
class LayoutTest {
    private record Place(long offset, long size) {}

    @BeforeAll
    static void load() {
        NativeLibrary.load();
    }

    @Test
    void everyGeneratedStructHasTheSizeAndTheFieldsOfTheNativeOne() throws Exception {
        assertThat(generatedLayouts()).isEqualTo(nativeLayouts());
    }

    @Test
    void theTableHoldsEveryOperationsDescriptor() {
        assertThat(nativeLayouts().keySet())
                .contains("velu_conv2d_desc", "velu_batch_norm_desc", "velu_optimizer_desc");
        assertThat(nativeLayouts().get("velu_conv2d_desc")).containsKeys("", "device", "dtype", "groups");
    }

    @Test
    void theTableEndsWithNull() {
        assertThat(VeluNative.velu_layout(-1)).isEqualTo(MemorySegment.NULL);
        assertThat(VeluNative.velu_layout(Long.MAX_VALUE)).isEqualTo(MemorySegment.NULL);
    }

    /** Struct name to field name to place; the field "" is the struct itself. */
    private static Map<String, Map<String, Place>> nativeLayouts() {
        Map<String, Map<String, Place>> layouts = new TreeMap<>();
        for (long i = 0; ; i++) {
            MemorySegment entry = VeluNative.velu_layout(i);
            if (entry.equals(MemorySegment.NULL)) {
                return layouts;
            }
            entry = entry.reinterpret(velu_layout_entry.sizeof());
            layouts.computeIfAbsent(velu_layout_entry.type(entry).getString(0), type -> new TreeMap<>())
                    .put(
                            velu_layout_entry.field(entry).getString(0),
                            new Place(velu_layout_entry.offset(entry), velu_layout_entry.size(entry)));
        }
    }

    private static Map<String, Map<String, Place>> generatedLayouts() throws Exception {
        Map<String, Map<String, Place>> layouts = new TreeMap<>();
        for (String name : generatedStructs()) {
            StructLayout layout = (StructLayout) Class.forName("dev.velu.bindings." + name)
                    .getMethod("layout")
                    .invoke(null);
            Map<String, Place> fields = new TreeMap<>();
            fields.put("", new Place(0, layout.byteSize()));
            for (MemoryLayout member : layout.memberLayouts()) {
                member.name().ifPresent(field -> {
                    long offset = layout.byteOffset(MemoryLayout.PathElement.groupElement(field));
                    fields.put(field, new Place(offset, member.byteSize()));
                });
            }
            layouts.put(name, fields);
        }
        return layouts;
    }

    /** The classes beside {@link VeluNative}, in a folder or a jar. */
    private static List<String> generatedStructs() throws IOException {
        Path place = Path.of(VeluNative.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .getPath());
        List<String> files = new ArrayList<>();
        if (Files.isDirectory(place)) {
            try (Stream<Path> found = Files.list(place.resolve("dev/velu/bindings"))) {
                found.forEach(file -> files.add(file.getFileName().toString()));
            }
        } else {
            try (JarFile jar = new JarFile(place.toFile())) {
                jar.stream()
                        .map(entry -> entry.getName())
                        .filter(name -> name.startsWith("dev/velu/bindings/"))
                        .forEach(name -> files.add(name.substring(name.lastIndexOf('/') + 1)));
            }
        }
        return files.stream()
                .filter(file -> file.matches("velu_\\w+\\.class"))
                .map(file -> file.substring(0, file.length() - ".class".length()))
                .toList();
    }
}
