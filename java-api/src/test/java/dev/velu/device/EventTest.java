package dev.velu.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNoException;

import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class EventTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    @Test
    void tellsTheTimeSinceAnEarlierOne() throws InterruptedException {
        try (Event start = Event.create(context);
                Event end = Event.create(context)) {
            start.record(Stream.COMPUTE);
            Thread.sleep(5);
            end.record(Stream.COMPUTE);
            end.synchronize();
            assertThat(end.millisecondsSince(start)).isBetween(5f, 60_000f);
        }
    }

    @Test
    void oneThatWasNeverRecordedHasNoTime() {
        try (Event start = Event.create(context);
                Event end = Event.create(context)) {
            end.record(Stream.COMPUTE);
            assertThatExceptionOfType(VeluException.class)
                    .isThrownBy(() -> end.millisecondsSince(start))
                    .withMessageContaining("start was never recorded")
                    .satisfies(e -> assertThat(e.status()).isEqualTo(Status.INVALID_ARGUMENT));
        }
    }

    @Test
    void nothingWaitsForOneThatWasNeverRecorded() {
        try (Event event = Event.create(context)) {
            event.makeWait(Stream.TRANSFER);
            assertThatNoException().isThrownBy(event::synchronize);
        }
    }

    @Test
    void useAfterCloseIsAnIllegalState() {
        Event event = Event.create(context);
        event.close();
        event.close();
        assertThatIllegalStateException()
                .isThrownBy(() -> event.record(Stream.COMPUTE))
                .withMessageContaining("this event is closed");
    }

    @Test
    void closingTheContextReleasesIt() {
        Event event = Event.create(context);
        context.close();
        assertThatIllegalStateException()
                .isThrownBy(event::synchronize)
                .withMessageContaining("this context on cpu is closed");
        assertThatNoException().isThrownBy(event::close);
    }
}
