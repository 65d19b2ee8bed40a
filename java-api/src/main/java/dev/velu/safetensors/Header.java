package dev.velu.safetensors;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import dev.velu.tensor.Shape;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The JSON header of a file, read and checked against the size of the data behind it. Nothing in it is trusted: when it
 * has been read, the tensors fill the data exactly, without overlap and without holes.
 */
record Header(Map<String, String> metadata, Map<String, TensorInfo> tensors) {
    /** The largest header the format allows, in bytes. */
    static final long LARGEST = 100_000_000;

    static final String METADATA = "__metadata__";

    private static final int LARGEST_RANK = 64;
    private static final JsonFactory JSON = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            // A hostile file must not fill the tables that are shared with all other parsing.
            .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(3)
                    .maxNumberLength(20)
                    .maxNameLength(65_536)
                    .maxStringLength((int) LARGEST)
                    .maxDocumentLength(LARGEST)
                    .build())
            .build();

    /**
     * @param text the header's bytes
     * @param dataBytes size of the file after the header
     * @throws SafeTensorsException for a header that breaks the format or does not describe exactly that many bytes
     */
    static Header parse(Path file, ByteBuffer text, long dataBytes) throws SafeTensorsException {
        String json;
        try {
            json = StandardCharsets.UTF_8.newDecoder().decode(text).toString();
        } catch (CharacterCodingException e) {
            throw new SafeTensorsException(file, "the header is not UTF-8", e);
        }
        if (!json.startsWith("{")) {
            throw new SafeTensorsException(
                    file, "the header begins with " + first(json) + " instead of '{'; this is not a safetensors file");
        }
        Reader reader = new Reader(file, dataBytes);
        try (JsonParser parser = JSON.createParser(json)) {
            Header header = reader.read(parser);
            reader.requireNoHoles(header.tensors.values());
            return header;
        } catch (SafeTensorsException e) {
            throw e;
        } catch (JacksonException e) {
            String problem = e.getOriginalMessage() == null ? "unreadable" : e.getOriginalMessage();
            throw new SafeTensorsException(
                    file, "the header is not valid JSON: " + SafeTensorsException.quote(problem), e);
        } catch (IOException e) {
            throw new SafeTensorsException(file, "the header cannot be read: " + SafeTensorsException.reason(e), e);
        }
    }

    private static String first(String json) {
        return json.isEmpty()
                ? "nothing"
                : SafeTensorsException.quote(json.substring(0, json.offsetByCodePoints(0, 1)));
    }

    /** The parsing of one header. */
    private record Reader(Path file, long dataBytes) {
        Header read(JsonParser parser) throws IOException {
            Map<String, String> metadata = Map.of();
            Map<String, TensorInfo> tensors = new LinkedHashMap<>();
            parser.nextToken();
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String name = parser.currentName();
                parser.nextToken();
                if (name.equals(METADATA)) {
                    metadata = metadata(parser);
                } else {
                    tensors.put(name, tensor(parser, name));
                }
            }
            if (parser.nextToken() != null) {
                throw new SafeTensorsException(file, "the header goes on after its closing '}'");
            }
            return new Header(metadata, Collections.unmodifiableMap(tensors));
        }

        private Map<String, String> metadata(JsonParser parser) throws IOException {
            require(parser.currentToken() == JsonToken.START_OBJECT, METADATA + " is not an object of strings");
            Map<String, String> metadata = new LinkedHashMap<>();
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String key = parser.currentName();
                require(
                        parser.nextToken() == JsonToken.VALUE_STRING,
                        METADATA + " " + SafeTensorsException.quote(key) + " is not a string");
                metadata.put(key, parser.getText());
            }
            return Collections.unmodifiableMap(metadata);
        }

        private TensorInfo tensor(JsonParser parser, String name) throws IOException {
            String tensor = "tensor " + SafeTensorsException.quote(name);
            require(parser.currentToken() == JsonToken.START_OBJECT, tensor + " is not an object");
            ElementType dtype = null;
            Shape shape = null;
            long[] offsets = null;
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String field = parser.currentName();
                parser.nextToken();
                switch (field) {
                    case "dtype" -> dtype = dtype(parser, tensor);
                    case "shape" -> shape = shape(parser, tensor);
                    case "data_offsets" -> offsets = integers(parser, tensor + ": data_offsets", 2);
                    default ->
                        throw new SafeTensorsException(
                                file, tensor + " has the unknown field " + SafeTensorsException.quote(field));
                }
            }
            require(dtype != null, tensor + " has no dtype");
            require(shape != null, tensor + " has no shape");
            require(offsets != null, tensor + " has no data_offsets");
            require(offsets.length == 2, tensor + " has " + offsets.length + " data_offsets, expected 2");
            long begin = offsets[0];
            long end = offsets[1];
            require(
                    begin >= 0 && begin <= end && end <= dataBytes,
                    tensor + ": data_offsets [" + begin + ", " + end + "] do not lie within the " + dataBytes
                            + " bytes of data");
            require(
                    shape.elements() <= Long.MAX_VALUE / dtype.bytes()
                            && shape.elements() * dtype.bytes() == end - begin,
                    tensor + ": " + dtype + " of shape " + shape + " does not take the " + (end - begin)
                            + " bytes of its data_offsets");
            return new TensorInfo(name, dtype, shape, begin, end);
        }

        private ElementType dtype(JsonParser parser, String tensor) throws IOException {
            require(parser.currentToken() == JsonToken.VALUE_STRING, tensor + ": dtype is not a string");
            String name = parser.getText();
            for (ElementType type : ElementType.values()) {
                if (type.name().equals(name)) {
                    return type;
                }
            }
            throw new SafeTensorsException(
                    file,
                    tensor + " has the unknown dtype " + SafeTensorsException.quote(name) + "; known are "
                            + Arrays.toString(ElementType.values()));
        }

        private Shape shape(JsonParser parser, String tensor) throws IOException {
            long[] sizes = integers(parser, tensor + ": shape", LARGEST_RANK);
            try {
                return Shape.of(sizes);
            } catch (IllegalArgumentException e) {
                throw new SafeTensorsException(file, tensor + ": " + e.getMessage(), e);
            }
        }

        private long[] integers(JsonParser parser, String what, int most) throws IOException {
            require(parser.currentToken() == JsonToken.START_ARRAY, what + " is not an array of integers");
            long[] values = new long[most];
            int count = 0;
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                require(
                        parser.currentToken() == JsonToken.VALUE_NUMBER_INT
                                && parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER,
                        what + " holds " + SafeTensorsException.quote(parser.getText())
                                + ", which is not a 64-bit integer");
                require(count < most, what + " has more than " + most + " elements");
                values[count++] = parser.getLongValue();
            }
            return Arrays.copyOf(values, count);
        }

        /** Together with each tensor's own range this is: no overlap, no holes, nothing after the last tensor. */
        void requireNoHoles(Collection<TensorInfo> tensors) throws SafeTensorsException {
            List<TensorInfo> ordered = new ArrayList<>(tensors);
            ordered.sort(Comparator.comparingLong(TensorInfo::begin).thenComparingLong(TensorInfo::end));
            long position = 0;
            for (TensorInfo tensor : ordered) {
                require(
                        tensor.begin() == position,
                        "tensor " + SafeTensorsException.quote(tensor.name()) + " begins at byte " + tensor.begin()
                                + " of the data, " + (tensor.begin() < position ? "inside" : "beyond")
                                + " the end of the tensor before it at " + position);
                position = tensor.end();
            }
            require(
                    position == dataBytes,
                    "the tensors end at byte " + position + " of the data, which has " + dataBytes
                            + " bytes; the file is cut off or has something appended");
        }

        private void require(boolean condition, String problem) throws SafeTensorsException {
            if (!condition) {
                throw new SafeTensorsException(file, problem);
            }
        }
    }
}
