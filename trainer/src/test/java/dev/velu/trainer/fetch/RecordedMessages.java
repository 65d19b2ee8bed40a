package dev.velu.trainer.fetch;

import java.util.ArrayList;
import java.util.List;

/** Keeps what a fetch says. */
final class RecordedMessages implements FetchListener {

    final List<String> lines = new ArrayList<>();
    final List<Long> begins = new ArrayList<>();

    @Override
    public void begin(String what, long done, long total) {
        begins.add(done);
    }

    @Override
    public void progress(long done) {}

    @Override
    public void end() {}

    @Override
    public void message(String line) {
        lines.add(line);
    }
}
