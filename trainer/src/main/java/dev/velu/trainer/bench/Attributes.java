package dev.velu.trainer.bench;

import dev.velu.graph.Operation;
import dev.velu.op.ActivationFunction;
import dev.velu.op.VeluParameters;
import dev.velu.tensor.Shape;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.RecordComponent;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * The attributes of an operation by name. Operations are records of records, whose components are their attributes.
 *
 * @param values numbers, booleans and labels by names in snake case; shapes are left out, as the tensors have them
 * @param velu constants, where the operation contains VeLU; otherwise null
 */
record Attributes(Map<String, Object> values, VeluParameters velu) {
    static Attributes of(Operation operation) {
        Map<String, Object> values = new LinkedHashMap<>();
        VeluParameters[] velu = new VeluParameters[1];
        collect((Record) operation, values, velu);
        return new Attributes(values, velu[0]);
    }

    private static void collect(Record record, Map<String, Object> values, VeluParameters[] velu) {
        for (RecordComponent component : record.getClass().getRecordComponents()) {
            switch (value(record, component)) {
                case null -> {}
                case ActivationFunction function -> {
                    values.put("activation", function.label());
                    if (function instanceof VeluParameters parameters) {
                        velu[0] = parameters;
                    }
                }
                case Shape ignored -> {}
                case Record inner -> collect(inner, values, velu);
                case Enum<?> constant ->
                    values.put(snake(component.getName()), constant.name().toLowerCase(Locale.ROOT));
                case Object value -> values.put(snake(component.getName()), value);
            }
        }
    }

    private static Object value(Record record, RecordComponent component) {
        try {
            Method accessor = component.getAccessor();
            accessor.setAccessible(true);
            return accessor.invoke(record);
        } catch (IllegalAccessException | InvocationTargetException e) {
            throw new IllegalStateException("attribute " + component.getName() + " of " + record, e);
        }
    }

    private static String snake(String name) {
        return name.replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
    }
}
