package dev.velu.pytorch;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads pickles (protocols 2 to 5) of dictionaries of tensors. It makes maps, lists, tuples, texts, numbers and
 * {@link StoredTensor}s; every name that is not a {@link Global} is refused where it stands, so nothing else is ever made or
 * called. It has no recursion, and what it keeps is bounded by the limits below.
 */
final class Unpickler {
    /** The most bytes that the description of the tensors may have: the largest networks need a thousandth. */
    static final long LARGEST = 64L << 20;

    /** The most operations, which bounds the objects and references that can be made. */
    private static final int MOST_OPERATIONS = 2_000_000;

    private static final int LARGEST_RANK = 64;
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfDouble BIG_ENDIAN_DOUBLE =
            ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    /** A Python tuple. Never printed: tuples may share tuples, and what they unfold to has no bound. */
    record Tuple(List<Object> items) {}

    /** Python's None, where null cannot stand for it. */
    private static final Object NONE = new Object();

    /** Bytes, which no description of tensors needs. */
    private static final Object BYTES = new Object();

    private final Path file;
    private final MemorySegment bytes;
    private final Map<String, Storage> blocks = new LinkedHashMap<>();
    private long position;

    private final List<Object> stack = new ArrayList<>();
    private final List<Integer> marks = new ArrayList<>();
    private final Map<Integer, Object> memo = new HashMap<>();

    /** @param bytes pickles, one after the other; what follows them is not looked at */
    Unpickler(Path file, MemorySegment bytes) {
        this.file = file;
        this.bytes = bytes;
    }

    /** Offset of the first byte that was not read. */
    long position() {
        return position;
    }

    /** The blocks of data that the tensors read so far refer to, by key. */
    Map<String, Storage> blocks() {
        return Collections.unmodifiableMap(blocks);
    }

    /**
     * Reads one pickle.
     *
     * @return a String, Boolean, Long, BigInteger, Double, List, {@link Tuple}, Map, {@link StoredTensor},
     *     {@link ParameterBox}, or null
     * @throws PyTorchException if it names anything but tensors, is damaged or exceeds a limit
     */
    Object read() throws PyTorchException {
        stack.clear();
        marks.clear();
        memo.clear();
        long end = Math.min(bytes.byteSize(), position + LARGEST);
        for (int operations = 0; operations < MOST_OPERATIONS; operations++) {
            if (position >= end && end < bytes.byteSize()) {
                throw new PyTorchException(
                        file, "the description of the tensors is larger than " + (LARGEST >> 20) + " MiB, the limit");
            }
            int opcode = unsignedByte();
            if (opcode == '.') {
                return pop();
            }
            step(opcode);
        }
        throw new PyTorchException(
                file, "the description of the tensors has more than " + MOST_OPERATIONS + " operations, the limit");
    }

    private void step(int opcode) throws PyTorchException {
        switch (opcode) {
            case 0x80 -> protocol();
            case 0x95 -> skip(Long.BYTES); // FRAME: the length of what follows
            case '(' -> marks.add(stack.size());
            case 'N' -> push(null);
            case 0x88 -> push(Boolean.TRUE);
            case 0x89 -> push(Boolean.FALSE);
            case 'J' -> push((long) bytes.get(INT, skip(Integer.BYTES)));
            case 'K' -> push((long) unsignedByte());
            case 'M' -> push((long) unsignedShort());
            case 0x8a -> push(wholeNumber(unsignedByte()));
            case 'G' -> push(bytes.get(BIG_ENDIAN_DOUBLE, skip(Double.BYTES)));
            case 'X', 'T' -> push(text(unsignedInt()));
            case 0x8c, 'U' -> push(text(unsignedByte()));
            case 0x8d -> push(text(bytes.get(LONG, skip(Long.BYTES))));
            case 'B' -> pushBytes(unsignedInt());
            case 'C' -> pushBytes(unsignedByte());
            case '}' -> push(new LinkedHashMap<Object, Object>());
            case ']' -> push(new ArrayList<>());
            case ')' -> push(new Tuple(List.of()));
            case 't' -> push(new Tuple(popToMark()));
            case 0x85 -> push(tuple(1));
            case 0x86 -> push(tuple(2));
            case 0x87 -> push(tuple(3));
            case 'a' -> append(tuple(1).items());
            case 'e' -> append(popToMark());
            case 's' -> put(tuple(2).items());
            case 'u' -> put(popToMark());
            case 'q' -> memo.put(unsignedByte(), top());
            case 'r' -> memo.put(bytes.get(INT, skip(Integer.BYTES)), top());
            case 0x94 -> memo.put(memo.size(), top());
            case 'h' -> push(recall(unsignedByte()));
            case 'j' -> push(recall(bytes.get(INT, skip(Integer.BYTES))));
            case 'c' -> push(global(line(), line()));
            case 0x93 -> stackGlobal();
            case 'Q' -> push(storage(pop()));
            case 'R', 0x81 -> call();
            case 'b' -> build();
            default ->
                throw new PyTorchException(
                        file,
                        String.format(
                                "refused: operation 0x%02x at byte %d of the pickle is not one that dictionaries of"
                                        + " tensors are made with; only tensors are read",
                                opcode, position - 1));
        }
    }

    // ---- Bytes
    // -------------------------------------------------------------------------------------------------------

    /** Moves on and returns where it was. */
    private long skip(long count) throws PyTorchException {
        if (count < 0 || count > bytes.byteSize() - position) {
            throw new PyTorchException(
                    file,
                    "the description of the tensors is cut off at byte " + bytes.byteSize()
                            + "; the file is incomplete, get it again");
        }
        long here = position;
        position += count;
        return here;
    }

    private int unsignedByte() throws PyTorchException {
        return bytes.get(ValueLayout.JAVA_BYTE, skip(1)) & 0xff;
    }

    private int unsignedShort() throws PyTorchException {
        return bytes.get(SHORT, skip(Short.BYTES)) & 0xffff;
    }

    private long unsignedInt() throws PyTorchException {
        return bytes.get(INT, skip(Integer.BYTES)) & 0xffff_ffffL;
    }

    private String text(long length) throws PyTorchException {
        if (length > LARGEST) {
            throw damaged("a text of " + length + " bytes");
        }
        long begin = skip(length);
        return new String(bytes.asSlice(begin, length).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
    }

    private void pushBytes(long length) throws PyTorchException {
        skip(length);
        push(BYTES);
    }

    /** Up to the end of the line, which is skipped. */
    private String line() throws PyTorchException {
        long begin = position;
        while (unsignedByte() != '\n') {
            if (position - begin > 1000) {
                throw damaged("a name longer than 1000 bytes");
            }
        }
        return new String(
                bytes.asSlice(begin, position - 1 - begin).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
    }

    /** Two's complement, little-endian. */
    private Object wholeNumber(int length) throws PyTorchException {
        byte[] digits = bytes.asSlice(skip(length), length).toArray(ValueLayout.JAVA_BYTE);
        for (int i = 0; i < length / 2; i++) {
            byte digit = digits[i];
            digits[i] = digits[length - 1 - i];
            digits[length - 1 - i] = digit;
        }
        BigInteger value = length == 0 ? BigInteger.ZERO : new BigInteger(digits);
        return value.bitLength() < Long.SIZE ? (Object) value.longValue() : value;
    }

    private void protocol() throws PyTorchException {
        int protocol = unsignedByte();
        if (protocol < 2 || protocol > 5) {
            throw new PyTorchException(file, "is pickled with protocol " + protocol + "; 2 to 5 are read");
        }
    }

    // ---- Stack and memo
    // ----------------------------------------------------------------------------------------------

    private void push(Object value) {
        stack.add(value);
    }

    private Object pop() throws PyTorchException {
        top();
        return stack.removeLast();
    }

    private Object top() throws PyTorchException {
        if (stack.size() <= (marks.isEmpty() ? 0 : marks.getLast())) {
            throw damaged("an operation without operands");
        }
        return stack.getLast();
    }

    private List<Object> popToMark() throws PyTorchException {
        if (marks.isEmpty()) {
            throw damaged("an operation without a mark");
        }
        List<Object> above = stack.subList(marks.removeLast(), stack.size());
        List<Object> items = new ArrayList<>(above);
        above.clear();
        return items;
    }

    private Tuple tuple(int length) throws PyTorchException {
        Object[] items = new Object[length];
        for (int i = length - 1; i >= 0; i--) {
            items[i] = pop();
        }
        return new Tuple(Arrays.asList(items));
    }

    private Object recall(int index) throws PyTorchException {
        if (!memo.containsKey(index)) {
            throw damaged("a reference to object " + index + ", which was not kept");
        }
        return memo.get(index);
    }

    private void append(List<Object> items) throws PyTorchException {
        if (!(top() instanceof List<?>)) {
            throw damaged("items for something that is not a list");
        }
        list(top()).addAll(items);
    }

    private void put(List<Object> items) throws PyTorchException {
        if (!(top() instanceof Map<?, ?>) || items.size() % 2 != 0) {
            throw damaged("entries for something that is not a dictionary");
        }
        Map<Object, Object> map = map(top());
        for (int i = 0; i < items.size(); i += 2) {
            map.put(key(items.get(i)), items.get(i + 1));
        }
    }

    /** Only what has a bounded size is hashed. */
    private Object key(Object key) throws PyTorchException {
        return switch (known(key)) {
            case String text -> text;
            case Long number -> number;
            case Boolean truth -> truth;
            case Double number -> number;
            default -> throw damaged("a dictionary with a key that is neither a text nor a number");
        };
    }

    /** A switch takes no null, Python's None. */
    private static Object known(Object value) {
        return value == null ? NONE : value;
    }

    @SuppressWarnings("unchecked")
    private static List<Object> list(Object value) {
        return (List<Object>) value;
    }

    @SuppressWarnings("unchecked")
    private static Map<Object, Object> map(Object value) {
        return (Map<Object, Object>) value;
    }

    // ---- Names and calls
    // ---------------------------------------------------------------------------------------------

    private void stackGlobal() throws PyTorchException {
        if (pop() instanceof String name && pop() instanceof String module) {
            push(global(module, name));
            return;
        }
        throw damaged("a name that is not a text");
    }

    private Global global(String module, String name) throws PyTorchException {
        Global known = Global.named(module, name);
        if (known == null) {
            throw new PyTorchException(
                    file,
                    "refused: it would call "
                            + PyTorchException.quote(module + "." + name).replace("'", "")
                            + "; only tensors are read. Save the weights alone, in Python:"
                            + " torch.save(model.state_dict(), FILE)");
        }
        return known;
    }

    /** A persistent id: {@code ("storage", type, key, location, elements[, view])}. */
    private Storage storage(Object id) throws PyTorchException {
        List<Object> parts = tuple(id);
        if (parts.size() < 5 || parts.size() > 6 || !"storage".equals(parts.get(0))) {
            throw new PyTorchException(
                    file,
                    "refused: it refers to something outside the pickle that is not a storage; only tensors are read");
        }
        if (!(parts.get(1) instanceof Global.StorageType type)
                || !(parts.get(2) instanceof String || parts.get(2) instanceof Long)
                || !(parts.get(4) instanceof Long elements)
                || elements < 0
                || elements > Long.MAX_VALUE / type.dtype().bytes()) {
            throw damaged("a storage without type, key or size");
        }
        String key = parts.get(2).toString();
        Storage block = new Storage(key, type.dtype(), elements, 0, elements);
        Storage known = blocks.putIfAbsent(key, block);
        if (known != null && !known.equals(block)) {
            throw damaged("storage " + PyTorchException.quote(key) + " with two types or sizes");
        }
        return parts.size() == 6 && parts.get(5) != null ? view(block, parts.get(5)) : block;
    }

    /** Of the oldest files: {@code (key, first element, elements)}. */
    private Storage view(Storage block, Object view) throws PyTorchException {
        List<Object> parts = tuple(view);
        if (parts.size() != 3
                || !(parts.get(1) instanceof Long first)
                || !(parts.get(2) instanceof Long elements)
                || first < 0
                || elements < 0
                || first > block.elements()
                || elements > block.elements() - first) {
            throw damaged("a view beyond storage " + PyTorchException.quote(block.key()));
        }
        return new Storage(block.key(), block.dtype(), block.elements(), first, elements);
    }

    /** REDUCE and NEWOBJ: a function or type and the tuple of its arguments. */
    private void call() throws PyTorchException {
        Object arguments = pop();
        Object function = pop();
        if (!(function instanceof Global.Function known) || !(arguments instanceof Tuple tuple)) {
            throw damaged("a call of something that is not a function");
        }
        List<Object> given = tuple.items();
        push(
                switch (known) {
                    case ORDERED_DICT -> orderedDict(given);
                    case REBUILD_TENSOR -> tensor(given, 4);
                    case REBUILD_TENSOR_V2 -> tensor(given, 6);
                    case REBUILD_PARAMETER -> rebuiltParameter(given);
                    case PARAMETER -> new ParameterBox(given.isEmpty() ? null : tensorOf(given.getFirst()));
                    case SIZE -> new Tuple(given.isEmpty() ? List.of() : items(given.getFirst()));
                });
    }

    /** Empty, or of a list of pairs. */
    private Map<Object, Object> orderedDict(List<Object> given) throws PyTorchException {
        Map<Object, Object> map = new LinkedHashMap<>();
        for (Object pair : given.isEmpty() ? List.of() : items(given.getFirst())) {
            List<Object> entry = items(pair);
            if (entry.size() != 2) {
                throw damaged("an OrderedDict of something else than pairs");
            }
            map.put(key(entry.get(0)), entry.get(1));
        }
        return map;
    }

    private Object rebuiltParameter(List<Object> given) throws PyTorchException {
        if (given.isEmpty()) {
            throw damaged("a parameter without a tensor");
        }
        return tensorOf(given.getFirst());
    }

    private StoredTensor tensorOf(Object value) throws PyTorchException {
        return switch (known(value)) {
            case StoredTensor tensor -> tensor;
            case ParameterBox box -> box.tensor == null ? noTensor() : box.tensor;
            default -> noTensor();
        };
    }

    private StoredTensor noTensor() throws PyTorchException {
        throw damaged("a parameter without a tensor");
    }

    /** {@code (storage, offset, size, stride, ...)}. */
    private StoredTensor tensor(List<Object> given, int least) throws PyTorchException {
        if (given.size() < least
                || !(given.get(0) instanceof Storage storage)
                || !(given.get(1) instanceof Long offset)) {
            throw damaged("a tensor without storage or offset");
        }
        try {
            return StoredTensor.of(storage, offset, numbers(given.get(2)), numbers(given.get(3)));
        } catch (IllegalArgumentException e) {
            throw new PyTorchException(file, "is damaged: " + e.getMessage(), e);
        }
    }

    private long[] numbers(Object value) throws PyTorchException {
        List<Object> items = items(value);
        if (items.size() > LARGEST_RANK) {
            throw damaged("a tensor of rank " + items.size() + ", above " + LARGEST_RANK);
        }
        long[] numbers = new long[items.size()];
        for (int i = 0; i < numbers.length; i++) {
            if (!(items.get(i) instanceof Long number)) {
                throw damaged("a tensor whose sizes are not whole numbers");
            }
            numbers[i] = number;
        }
        return numbers;
    }

    private List<Object> items(Object value) throws PyTorchException {
        return switch (known(value)) {
            case Tuple tuple -> tuple.items();
            case List<?> items -> list(items);
            default -> throw damaged("something else where a tuple belongs");
        };
    }

    /** BUILD: attributes of an object, of which only the tensor of an old parameter matters. */
    private void build() throws PyTorchException {
        Object state = pop();
        switch (known(top())) {
            case Map<?, ?> dictionary -> {}
            case StoredTensor tensor -> {}
            case ParameterBox box -> {
                // (requires_grad, volatile, hooks), or before that (data, grad, hooks, requires_grad, volatile).
                if (!(state instanceof Tuple)) {
                    throw damaged("attributes of a parameter that are no tuple");
                }
                List<Object> parts = tuple(state);
                if (parts.size() == 5) {
                    box.tensor = tensorOf(parts.getFirst());
                }
            }
            default -> throw damaged("attributes for something that has none");
        }
    }

    /** The items of a tuple; none of anything else. */
    private static List<Object> tuple(Object value) {
        return value instanceof Tuple tuple ? tuple.items() : List.of();
    }

    private PyTorchException damaged(String what) {
        return new PyTorchException(file, "is damaged: its pickle has " + what + " (before byte " + position + ")");
    }
}
