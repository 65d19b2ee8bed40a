package dev.velu.peers;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;

/** One line on stdin: an object with one field, whose name says what is wanted. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, include = JsonTypeInfo.As.WRAPPER_OBJECT)
@JsonSubTypes({
    @JsonSubTypes.Type(value = Request.Load.class, name = "load"),
    @JsonSubTypes.Type(value = Request.Prepare.class, name = "prepare"),
    @JsonSubTypes.Type(value = Request.Run.class, name = "run"),
    @JsonSubTypes.Type(value = Request.Close.class, name = "close")
})
sealed interface Request {
    /** <code>{"load": {"kind": ...}}</code>: loads the library that the task needs; answered by its {@code version}. */
    record Load(Task task) implements Request {
        @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
        public Load {}
    }

    /** <code>{"prepare": {}}</code>: makes the work of the task ready; answered by {@code ready}. */
    @JsonIgnoreProperties(ignoreUnknown = true)
    record Prepare() implements Request {}

    /** <code>{"run": count}</code>: answered by the milliseconds of each run and the results of the last. */
    record Run(int count) implements Request {
        @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
        public Run {
            if (count < 1) {
                throw new IllegalArgumentException("number of runs " + count + " is not positive");
            }
        }
    }

    /** <code>{"close": {}}</code>: ends the program. */
    @JsonIgnoreProperties(ignoreUnknown = true)
    record Close() implements Request {}
}
