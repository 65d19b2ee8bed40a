package dev.velu.pytorch;

import dev.velu.safetensors.ElementType;
import java.util.Map;

/** What a pickle may name: the few functions and types of Python that describe dictionaries of tensors, and nothing else. */
sealed interface Global {
    /** The type of a storage, e.g. {@code torch.FloatStorage}. */
    record StorageType(ElementType dtype) implements Global {}

    /** What may be called. */
    enum Function implements Global {
        ORDERED_DICT,
        REBUILD_TENSOR,
        REBUILD_TENSOR_V2,
        REBUILD_PARAMETER,
        PARAMETER,
        SIZE
    }

    /** By module and name, as Python writes them with a dot between. */
    Map<String, Function> FUNCTIONS = Map.of(
            "collections.OrderedDict", Function.ORDERED_DICT,
            "torch._utils._rebuild_tensor", Function.REBUILD_TENSOR,
            "torch._utils._rebuild_tensor_v2", Function.REBUILD_TENSOR_V2,
            "torch._utils._rebuild_parameter", Function.REBUILD_PARAMETER,
            "torch._utils._rebuild_parameter_with_state", Function.REBUILD_PARAMETER,
            "torch.nn.parameter.Parameter", Function.PARAMETER,
            "torch.Size", Function.SIZE);

    Map<String, ElementType> STORAGES = Map.ofEntries(
            Map.entry("FloatStorage", ElementType.F32),
            Map.entry("DoubleStorage", ElementType.F64),
            Map.entry("HalfStorage", ElementType.F16),
            Map.entry("BFloat16Storage", ElementType.BF16),
            Map.entry("LongStorage", ElementType.I64),
            Map.entry("IntStorage", ElementType.I32),
            Map.entry("ShortStorage", ElementType.I16),
            Map.entry("CharStorage", ElementType.I8),
            Map.entry("ByteStorage", ElementType.U8),
            Map.entry("BoolStorage", ElementType.BOOL),
            Map.entry("ComplexFloatStorage", ElementType.C64));

    /** What a module and a name stand for, or null for what is not read. */
    static Global named(String module, String name) {
        if (module.equals("torch") || module.equals("torch.cuda")) {
            ElementType dtype = STORAGES.get(name);
            if (dtype != null) {
                return new StorageType(dtype);
            }
        }
        return FUNCTIONS.get(module + "." + name);
    }
}
