package dev.velu.peers;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;

/** Work that a peer can be asked for; {@code kind} in the request says which, the other fields are the record's. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "kind")
@JsonSubTypes({
    @JsonSubTypes.Type(value = TrainingTask.class, name = "training"),
    @JsonSubTypes.Type(value = InferenceTask.class, name = "inference"),
    @JsonSubTypes.Type(value = ActivationTask.class, name = "activation"),
    @JsonSubTypes.Type(value = OperationTask.class, name = "operation"),
    @JsonSubTypes.Type(value = JniCallTask.class, name = "jni_call"),
    @JsonSubTypes.Type(value = VectorVeluTask.class, name = "vector_velu")
})
public sealed interface Task
        permits TrainingTask, InferenceTask, ActivationTask, OperationTask, JniCallTask, VectorVeluTask {
    /**
     * Loads the library that does the work, so that the memory measured afterwards is the work's.
     *
     * @param threads CPU threads to compute with, positive
     * @return name and version of the library
     */
    String load(int threads);

    /**
     * Makes the work ready to run.
     *
     * @param threads those that the library was loaded for
     * @throws IllegalArgumentException if the request is wrong; names what and why
     */
    Work prepare(int threads);
}
