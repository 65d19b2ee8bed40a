// Host memory, asynchronous copies, events and graphs.
#include <vector>

#include "check.h"

namespace {

constexpr int64_t kCount = 1000;
constexpr int64_t kBytes = kCount * 4;

/// Device memory of kCount floats.
struct DeviceFloats {
    explicit DeviceFloats(velu_context* owner) : context(owner) {
        CHECK_SUCCESS(context, velu_memory_allocate(context, kBytes, &memory));
    }
    ~DeviceFloats() { CHECK_SUCCESS(context, velu_memory_free(context, memory)); }
    DeviceFloats(const DeviceFloats&) = delete;
    DeviceFloats& operator=(const DeviceFloats&) = delete;

    void set(float value) {
        const std::vector<float> values(kCount, value);
        CHECK_SUCCESS(context, velu_memory_copy(context, VELU_COPY_HOST_TO_DEVICE, values.data(), memory, kBytes));
    }
    /// The value of all elements; a failure if they differ.
    float get() const {
        std::vector<float> values(kCount);
        CHECK_SUCCESS(context, velu_memory_copy(context, VELU_COPY_DEVICE_TO_HOST, memory, values.data(), kBytes));
        for (const float value : values) CHECK_EQUAL(value, values[0]);
        return values[0];
    }

    velu_context* context;
    void* memory = nullptr;
};

/// Host memory of kCount floats.
struct HostFloats {
    explicit HostFloats(velu_context* owner) : context(owner) {
        void* memory = nullptr;
        CHECK_SUCCESS(context, velu_host_memory_allocate(context, kBytes, &memory));
        data = static_cast<float*>(memory);
    }
    ~HostFloats() { CHECK_SUCCESS(context, velu_host_memory_free(context, data)); }
    HostFloats(const HostFloats&) = delete;
    HostFloats& operator=(const HostFloats&) = delete;

    velu_context* context;
    float* data = nullptr;
};

struct Event {
    explicit Event(velu_context* owner) : context(owner) { CHECK_SUCCESS(context, velu_event_create(context, &event)); }
    ~Event() { CHECK_SUCCESS(context, velu_event_destroy(context, event)); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    operator velu_event*() const { return event; }

    velu_context* context;
    velu_event* event = nullptr;
};

velu_add_desc add_desc() {
    return {check::device(), VELU_DTYPE_F32, kCount};
}

/// The call's status without waiting for it.
velu_status add(velu_context* context, const DeviceFloats& a, const DeviceFloats& b, const DeviceFloats& y) {
    const velu_add_desc desc = add_desc();
    return velu_add_forward(context, &desc, a.memory, b.memory, y.memory);
}

bool message_has(velu_context* context, const char* text) {
    return std::strstr(velu_context_last_error(context), text) != nullptr;
}

void test_graphs() {
    check::test("aGraphRunsItsOperationsAgainWithTheMemorysNewContents", [] {
        check::Context context;
        DeviceFloats a(context), b(context), y(context);
        a.set(1);
        b.set(2);
        CHECK_EQUAL(velu_graph_begin(context), VELU_STATUS_SUCCESS);
        CHECK_EQUAL(add(context, a, b, y), VELU_STATUS_SUCCESS);
        CHECK_EQUAL(add(context, y, b, y), VELU_STATUS_SUCCESS);
        velu_graph* graph = nullptr;
        CHECK_SUCCESS(context, velu_graph_end(context, &graph));
        CHECK_EQUAL(y.get(), 0.0f);  // recorded, not run
        CHECK_SUCCESS(context, velu_graph_launch(context, graph));
        CHECK_EQUAL(y.get(), 5.0f);
        a.set(10);
        CHECK_SUCCESS(context, velu_graph_launch(context, graph));
        CHECK_EQUAL(y.get(), 14.0f);
        CHECK_SUCCESS(context, velu_graph_destroy(context, graph));
    });
    check::test("whatCannotBeRecordedSaysSoAndTheContextGoesOn", [] {
        check::Context context;
        DeviceFloats a(context), b(context), y(context);
        a.set(1);
        b.set(2);
        CHECK_EQUAL(velu_graph_begin(context), VELU_STATUS_SUCCESS);
        CHECK_EQUAL(velu_graph_begin(context), VELU_STATUS_INVALID_ARGUMENT);
        void* memory = nullptr;
        CHECK_EQUAL(velu_memory_allocate(context, 64, &memory), VELU_STATUS_INVALID_ARGUMENT);
        CHECK(message_has(context, "graph is being recorded"));
        CHECK_EQUAL(velu_context_synchronize(context), VELU_STATUS_INVALID_ARGUMENT);
        CHECK_EQUAL(add(context, a, b, y), VELU_STATUS_SUCCESS);
        velu_graph* graph = nullptr;
        CHECK_SUCCESS(context, velu_graph_end(context, &graph));
        CHECK_SUCCESS(context, velu_graph_launch(context, graph));
        CHECK_EQUAL(y.get(), 3.0f);
        CHECK_SUCCESS(context, velu_graph_destroy(context, graph));
    });
    check::test("anEndWithoutABeginIsRefused", [] {
        check::Context context;
        velu_graph* graph = nullptr;
        CHECK_EQUAL(velu_graph_end(context, &graph), VELU_STATUS_INVALID_ARGUMENT);
        CHECK(message_has(context, "velu_graph_begin"));
        CHECK(graph == nullptr);
        CHECK_EQUAL(velu_graph_launch(context, nullptr), VELU_STATUS_INVALID_ARGUMENT);
    });
    check::test("scratchMemoryThatIsMissingWhileRecordingIsAnErrorNotACrash", [] {
        check::Context context;
        constexpr int64_t kRows = 64, kChannels = 65536;  // more partial sums than a new context has scratch memory
        const velu_linear_desc desc{check::device(), VELU_DTYPE_F32, kRows, 1, kChannels, 0, 0};
        void *x = nullptr, *dy = nullptr, *dweight = nullptr, *dbias = nullptr;
        CHECK_SUCCESS(context, velu_memory_allocate(context, kRows * 4, &x));
        CHECK_SUCCESS(context, velu_memory_allocate(context, kRows * kChannels * 4, &dy));
        CHECK_SUCCESS(context, velu_memory_allocate(context, kChannels * 4, &dweight));
        CHECK_SUCCESS(context, velu_memory_allocate(context, kChannels * 4, &dbias));
        const auto call = [&] {
            return velu_linear_backward_weights(context, &desc, x, dy, static_cast<float*>(dweight),
                                                static_cast<float*>(dbias));
        };
        CHECK_EQUAL(velu_graph_begin(context), VELU_STATUS_SUCCESS);
        CHECK_EQUAL(call(), VELU_STATUS_INVALID_ARGUMENT);
        CHECK(message_has(context, "velu_graph_begin"));
        velu_graph* graph = nullptr;
        velu_graph_end(context, &graph);
        velu_graph_destroy(context, graph);
        CHECK_SUCCESS(context, call());
        CHECK_EQUAL(velu_graph_begin(context), VELU_STATUS_SUCCESS);
        CHECK_EQUAL(call(), VELU_STATUS_SUCCESS);
        CHECK_SUCCESS(context, velu_graph_end(context, &graph));
        CHECK_SUCCESS(context, velu_graph_launch(context, graph));
        CHECK_SUCCESS(context, velu_graph_destroy(context, graph));
        for (void* memory : {x, dy, dweight, dbias}) CHECK_SUCCESS(context, velu_memory_free(context, memory));
    });
}

}  // namespace

int main() {
    check::test("hostMemoryIsZeroedAndAligned", [] {
        check::Context context;
        HostFloats host(context);
        CHECK_EQUAL(reinterpret_cast<uintptr_t>(host.data) % 64, uintptr_t{0});
        for (int64_t i = 0; i < kCount; ++i) CHECK_EQUAL(host.data[i], 0.0f);
        host.data[kCount - 1] = 1;
        void* memory = &context;
        CHECK_EQUAL(velu_host_memory_allocate(context, 0, &memory), VELU_STATUS_INVALID_ARGUMENT);
        CHECK(memory == nullptr);
        CHECK_SUCCESS(context, velu_host_memory_free(context, nullptr));
    });
    check::test("computeSeesWhatTransferCopiedOnceItWaited", [] {
        check::Context context;
        HostFloats in(context), out(context);
        DeviceFloats a(context), b(context), y(context);
        b.set(1);
        Event copied(context), done(context);
        for (int round = 1; round <= 3; ++round) {
            for (int64_t i = 0; i < kCount; ++i) in.data[i] = static_cast<float>(round);
            CHECK_EQUAL(velu_memory_copy_async(context, VELU_STREAM_TRANSFER, VELU_COPY_HOST_TO_DEVICE, in.data,
                                               a.memory, kBytes),
                        VELU_STATUS_SUCCESS);
            CHECK_EQUAL(velu_event_record(context, copied, VELU_STREAM_TRANSFER), VELU_STATUS_SUCCESS);
            CHECK_EQUAL(velu_event_wait(context, copied, VELU_STREAM_COMPUTE), VELU_STATUS_SUCCESS);
            CHECK_EQUAL(add(context, a, b, y), VELU_STATUS_SUCCESS);
            CHECK_EQUAL(velu_memory_copy_async(context, VELU_STREAM_COMPUTE, VELU_COPY_DEVICE_TO_HOST, y.memory,
                                               out.data, kBytes),
                        VELU_STATUS_SUCCESS);
            CHECK_EQUAL(velu_event_record(context, done, VELU_STREAM_COMPUTE), VELU_STATUS_SUCCESS);
            CHECK_EQUAL(velu_event_synchronize(context, done), VELU_STATUS_SUCCESS);
            for (int64_t i = 0; i < kCount; ++i) CHECK_EQUAL(out.data[i], static_cast<float>(round + 1));
        }
    });
    check::test("elapsedTimeIsNotNegativeAndNeedsRecordedEvents", [] {
        check::Context context;
        Event start(context), end(context);
        float milliseconds = -1;
        CHECK_EQUAL(velu_event_elapsed(context, start, end, &milliseconds), VELU_STATUS_INVALID_ARGUMENT);
        CHECK(message_has(context, "start was never recorded"));
        CHECK_SUCCESS(context, velu_event_record(context, start, VELU_STREAM_COMPUTE));
        CHECK_EQUAL(velu_event_elapsed(context, start, end, &milliseconds), VELU_STATUS_INVALID_ARGUMENT);
        CHECK(message_has(context, "end was never recorded"));
        CHECK_SUCCESS(context, velu_event_record(context, end, VELU_STREAM_COMPUTE));
        CHECK_SUCCESS(context, velu_event_elapsed(context, start, end, &milliseconds));
        CHECK(milliseconds >= 0 && milliseconds < 1e5f);
    });
    check::test("anEventThatWasNeverRecordedIsNotWaitedFor", [] {
        check::Context context;
        Event event(context);
        CHECK_SUCCESS(context, velu_event_wait(context, event, VELU_STREAM_COMPUTE));
        CHECK_SUCCESS(context, velu_event_synchronize(context, event));
    });
    check::test("wrongStreamsDirectionsAndEventsAreRefused", [] {
        check::Context context;
        HostFloats host(context);
        DeviceFloats device(context);
        Event event(context);
        CHECK_EQUAL(velu_memory_copy_async(context, 2, VELU_COPY_HOST_TO_DEVICE, host.data, device.memory, kBytes),
                    VELU_STATUS_INVALID_ARGUMENT);
        CHECK(message_has(context, "stream is 2"));
        CHECK_EQUAL(velu_memory_copy_async(context, VELU_STREAM_COMPUTE, 3, host.data, device.memory, kBytes),
                    VELU_STATUS_INVALID_ARGUMENT);
        CHECK_EQUAL(velu_event_record(context, event, -1), VELU_STATUS_INVALID_ARGUMENT);
        CHECK_EQUAL(velu_event_record(context, nullptr, VELU_STREAM_COMPUTE), VELU_STATUS_INVALID_ARGUMENT);
        CHECK_EQUAL(velu_event_create(context, nullptr), VELU_STATUS_INVALID_ARGUMENT);
    });
    if (check::on_cpu()) {
        check::test("theCpuHasNoGraphsAndSaysSo", [] {
            check::Context context;
            CHECK_EQUAL(velu_graph_begin(context), VELU_STATUS_UNSUPPORTED);
            CHECK(message_has(context, "cpu backend"));
        });
    } else {
        test_graphs();
    }
    return check::report();
}
