// The ABI rejects what velu.h forbids, with a status and a message, and never crashes.
#include <atomic>
#include <cfloat>
#include <climits>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "check.h"
#include "operations.h"

using check::Context;
using check::Guarded;
using check::test;

namespace {

constexpr int64_t kBytes = 1 << 18;  // per pointer argument; the random descriptors below need at most 86 KiB

/// One guarded buffer per pointer argument.
struct Buffers {
    explicit Buffers(size_t count) : pointers(count) {
        for (size_t i = 0; i < count; ++i) {
            memory.push_back(std::make_unique<Guarded<unsigned char>>(kBytes));
            clear(i);
        }
    }
    void clear(size_t i) {
        std::memset(memory[i]->data, 0, kBytes);
        pointers[i] = memory[i]->data;
    }
    std::vector<std::unique_ptr<Guarded<unsigned char>>> memory;
    std::vector<void*> pointers;
};

/// Checks a failure: its status, and a message that starts with the function's name and says something.
void rejected(velu_context* context, const char* name, const std::string& how, velu_status status,
              velu_status expected = VELU_STATUS_INVALID_ARGUMENT) {
    const std::string message = velu_context_last_error(context);
    const std::string prefix = std::string(name) + ": ";
    if (status != expected) {
        check::fail(__FILE__, __LINE__, prefix + how + " gives \"" + velu_status_name(status) + "\": " + message);
    } else if (message.rfind(prefix, 0) != 0 || message.size() < prefix.size() + 10) {
        check::fail(__FILE__, __LINE__, prefix + how + " has the message \"" + message + "\"");
    }
}

/// Calls body(name, type, function, desc, needs, buffers) for every operation.
template <class Body>
void each_operation(const Body& body) {
    operations::for_each(
        [&]<class Desc, class... Pointers>(const char* name, const char* type,
                                           velu_status (*function)(velu_context*, const Desc*, Pointers...),
                                           const Desc& desc, const char* needs) {
            Buffers buffers(sizeof...(Pointers));
            body(name, type, function, desc, std::string(needs), buffers);
        });
}

struct Random {
    uint64_t state;
    uint64_t next() {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return state >> 33;
    }
    template <class T, size_t N>
    T pick(const T (&values)[N]) {
        return values[next() % N];
    }
};

template <class T>
void put(char* address, T value) {
    std::memcpy(address, &value, sizeof value);
}

}  // namespace

int main() {
    test("everyOperationAcceptsItsValidDescriptor", [] {
        const Context context;
        each_operation([&](const char*, const char*, auto function, const auto& desc, const std::string&, auto& b) {
            CHECK_SUCCESS(context, operations::call(function, context, &desc, b.pointers));
        });
    });
    test("everyOperationRejectsANullContextAndANullDescriptor", [] {
        const Context context;
        each_operation([&]<class Desc>(const char* name, const char*, auto function, const Desc& desc,
                                       const std::string&, auto& b) {
            CHECK_EQUAL(operations::call(function, static_cast<velu_context*>(nullptr), &desc, b.pointers),
                        VELU_STATUS_INVALID_ARGUMENT);
            rejected(context, name, "desc = NULL",
                     operations::call(function, context, static_cast<const Desc*>(nullptr), b.pointers));
        });
    });
    test("everyOperationRejectsAForeignDeviceAndADtypeItCannotCompute", [] {
        const Context context;
        each_operation([&](const char* name, const char*, auto function, auto desc, const std::string&, auto& b) {
            const int32_t other = check::on_cpu() ? VELU_DEVICE_CUDA : VELU_DEVICE_CPU;
            for (const int32_t device : {other, -1, 2, INT32_MAX}) {
                desc.device = device;
                rejected(context, name, "device", operations::call(function, context, &desc, b.pointers));
            }
            desc.device = check::device();
            for (const int32_t dtype : {-1, 2, 64, INT32_MIN}) {
                desc.dtype = dtype;
                rejected(context, name, "dtype", operations::call(function, context, &desc, b.pointers));
            }
        });
    });
    test("aCpuContextWithoutAvx512ComputesInFloat32Only", [] {
        if (!check::on_cpu()) return;
        const Context context(1, VELU_ISA_BASELINE);
        each_operation([&](const char* name, const char*, auto function, auto desc, const std::string&, auto& b) {
            // It converts between dtypes and moves elements of any.
            const std::string operation = name;
            if (operation == "velu_cast_forward" || operation == "velu_transpose_forward" ||
                operation == "velu_copy_rows_forward") {
                return;
            }
            desc.dtype = VELU_DTYPE_BF16;
            rejected(context, name, "bfloat16", operations::call(function, context, &desc, b.pointers),
                     VELU_STATUS_UNSUPPORTED);
            rejected(context, name, "use float32", operations::call(function, context, &desc, b.pointers),
                     VELU_STATUS_UNSUPPORTED);
        });
    });
    test("everyOperationRejectsNullWhereItNeedsAPointerAndOnlyThere", [] {
        const Context context;
        each_operation(
            [&](const char* name, const char*, auto function, const auto& desc, const std::string& needs, auto& b) {
                CHECK_EQUAL(needs.size(), b.pointers.size());
                for (size_t i = 0; i < b.pointers.size(); ++i) {
                    for (size_t j = 0; j < b.pointers.size(); ++j) b.clear(j);
                    b.pointers[i] = nullptr;
                    const velu_status status = operations::call(function, context, &desc, b.pointers);
                    const std::string how = "pointer " + std::to_string(i) + " = NULL";
                    if (needs[i] == 'r') {
                        rejected(context, name, how, status);
                    } else {
                        CHECK_SUCCESS(context, status);
                    }
                }
            });
    });
    test("everyOperationRejectsMisalignedPointers", [] {
        const Context context;
        operations::for_each(
            [&]<class Desc, class... Pointers>(const char* name, const char*,
                                               velu_status (*function)(velu_context*, const Desc*, Pointers...),
                                               const Desc& desc, const char*) {
                const bool bytes[] = {std::is_same_v<std::remove_const_t<std::remove_pointer_t<Pointers>>, uint8_t>...};
                Buffers b(sizeof...(Pointers));
                for (size_t i = 0; i < sizeof...(Pointers); ++i) {
                    if (bytes[i]) continue;
                    auto pointers = b.pointers;
                    pointers[i] = static_cast<char*>(pointers[i]) + 1;
                    rejected(context, name, "pointer " + std::to_string(i) + " misaligned",
                             operations::call(function, context, &desc, pointers));
                }
            });
    });
    test("everyOperationRejectsAnOutputThatPartlyOverlapsAnotherArgument", [] {
        const Context context;
        operations::for_each(
            [&]<class Desc, class... Pointers>(const char* name, const char*,
                                               velu_status (*function)(velu_context*, const Desc*, Pointers...),
                                               const Desc& desc, const char*) {
                const bool inputs[] = {std::is_const_v<std::remove_pointer_t<Pointers>>...};
                Buffers b(sizeof...(Pointers));
                // The first argument of all of these has several elements; what is written lies 8 bytes into it.
                const std::string operation = name;
                if (operation == "velu_dropout_forward" || operation == "velu_dropout_backward" ||
                    operation == "velu_optimizer_step" || operation == "velu_lerp" || operation == "velu_random_fill") {
                    return;
                }
                for (size_t i = 1; i < sizeof...(Pointers); ++i) {
                    if (inputs[i]) continue;
                    auto pointers = b.pointers;
                    pointers[i] = static_cast<char*>(pointers[0]) + 8;
                    rejected(context, name, "pointer " + std::to_string(i) + " overlaps the first",
                             operations::call(function, context, &desc, pointers));
                }
            });
    });
    test("randomSmallDescriptorsSucceedOrAreRejectedAndStayInsideTheirBuffers", [] {
        const Context context(2);
        Random random{20240607};
        each_operation(
            [&](const char* name, const char* type, auto function, const auto& valid, const std::string&, auto& b) {
                for (int round = 0; round < 60; ++round) {
                    auto desc = valid;
                    operations::change_fields(type, desc, [&](const std::string& field, char* address, int64_t size) {
                        if (random.next() % 3 == 0) return;
                        if (size == 4 && operations::is_float(field)) {
                            put(address,
                                random.pick({0.0f, 0.1f, 0.5f, 1.0f, -1.0f, 2.0f, 1e-30f, FLT_MAX, NAN, INFINITY}));
                        } else if (size == 4) {
                            put<int32_t>(address, random.pick({-1, 0, 1, 1, 1, 2, 2, 3, 4, 7}));
                        } else {
                            put<int64_t>(address, random.pick({-1, 0, 1, 1, 2, 2, 3, 4, 7, 7}));
                        }
                    });
                    for (size_t i = 0; i < b.pointers.size(); ++i) {
                        std::memset(b.memory[i]->data, static_cast<int>(random.pick({0, 0, 1, 63, 255})), kBytes);
                    }
                    const velu_status status = operations::call(function, context, &desc, b.pointers);
                    if (status == VELU_STATUS_SUCCESS) {
                        CHECK_SUCCESS(context, velu_context_synchronize(context));  // before the buffers change
                        continue;
                    }
                    rejected(context, name, "a random descriptor", status, status);
                    CHECK(status == VELU_STATUS_INVALID_ARGUMENT || status == VELU_STATUS_UNSUPPORTED);
                }
            });
    });
    test("absurdSizesAreRejectedBeforeAnyMemoryIsTouched", [] {
        const Context context;
        Random random{7};
        each_operation([&](const char* name, const char* type, auto function, const auto& valid, const std::string&,
                           auto& b) {
            b.pointers.assign(b.pointers.size(), nullptr);
            for (int round = 0; round < 200; ++round) {
                auto desc = valid;
                operations::change_fields(type, desc, [&](const std::string& field, char* address, int64_t size) {
                    if (random.next() % 3 == 0 || operations::is_float(field)) return;
                    if (size == 4) {
                        put<int32_t>(address, random.pick({1, 2, 3, 1 << 16, INT32_MAX, INT32_MAX - 1, INT32_MIN}));
                    } else if (field != "seed" && field != "stream") {
                        put<int64_t>(address, random.pick<int64_t>({1, 3, 1ll << 31, 1ll << 32, 1ll << 47, 1ll << 62,
                                                                    INT64_MAX, INT64_MIN}));
                    }
                });
                rejected(context, name, "an absurd descriptor", operations::call(function, context, &desc, b.pointers));
            }
        });
    });
    test("rowsTimesChannelsThatOverflowsIsNamed", [] {
        const Context context;
        velu_velu_desc desc = operations::kVelu;
        desc.rows = int64_t{1} << 40;
        desc.channels = int64_t{1} << 40;
        float x = 0;
        rejected(context, "velu_velu_forward", "overflow", velu_velu_forward(context, &desc, &x, nullptr, &x, nullptr));
        CHECK(std::strstr(velu_context_last_error(context), "2^47") != nullptr);
    });
    test("tensorLargerThanTheAddressSpaceIsNamedBeforeItsPointerIsLookedAt", [] {
        const Context context;
        velu_add_desc desc = operations::kAdd;
        desc.count = (int64_t{1} << 45) + 1;  // 4 bytes more than 2^47
        rejected(context, "velu_add_forward", "2^47", velu_add_forward(context, &desc, nullptr, nullptr, nullptr));
        CHECK(std::strstr(velu_context_last_error(context), "2^47") != nullptr);
        desc.count = int64_t{1} << 45;
        rejected(context, "velu_add_forward", "NULL", velu_add_forward(context, &desc, nullptr, nullptr, nullptr));
        CHECK(std::strstr(velu_context_last_error(context), "a is NULL") != nullptr);
    });
    test("prepareTakesAbsurdShapesWithoutCrashing", [] {
        Random random{11};
        for (int round = 0; round < 60; ++round) {
            const Context context;
            velu_conv2d_desc desc = operations::kConv2d;
            operations::change_fields("velu_conv2d_desc", desc, [&](const std::string&, char* address, int64_t size) {
                if (random.next() % 2 == 0) return;
                if (size == 4) {
                    put<int32_t>(address, random.pick({1, 2, 3, 1 << 16, INT32_MAX}));
                } else {
                    put<int64_t>(address, random.pick<int64_t>({1, 2, 4, 1 << 20, 1ll << 32}));
                }
            });
            desc.kernel_height = std::min(desc.kernel_height, 3);
            desc.kernel_width = std::min(desc.kernel_width, 3);
            const auto pass = static_cast<int32_t>(random.next() % 3);
            const velu_status status = velu_conv2d_prepare(context, &desc, pass);
            if (status != VELU_STATUS_SUCCESS) rejected(context, "velu_conv2d_prepare", "shape", status, status);
        }
        const Context context;
        rejected(context, "velu_conv2d_prepare", "pass 3", velu_conv2d_prepare(context, &operations::kConv2d, 3));
        rejected(context, "velu_linear_prepare", "pass -1", velu_linear_prepare(context, &operations::kLinear, -1));
    });
    test("messagesNameTheValueAndTheLimit", [] {
        const Context context;
        velu_conv2d_desc conv2d = operations::kConv2d;
        conv2d.in_channels = 64;
        conv2d.groups = 3;
        CHECK_EQUAL(velu_conv2d_forward(context, &conv2d, nullptr, nullptr, nullptr, nullptr),
                    VELU_STATUS_INVALID_ARGUMENT);
        CHECK_EQUAL(std::string(velu_context_last_error(context)),
                    "velu_conv2d_forward: groups 3 does not divide in_channels 64");
        velu_velu_desc velu = operations::kVelu;
        velu.params.gamma = 1;
        CHECK_EQUAL(velu_velu_forward(context, &velu, nullptr, nullptr, nullptr, nullptr),
                    VELU_STATUS_INVALID_ARGUMENT);
        CHECK_EQUAL(std::string(velu_context_last_error(context)),
                    "velu_velu_forward: gamma is 1; it must be above -1 and below 1");
    });
    test("lastErrorIsEmptyBeforeAnyFailureAndOutlivesASuccess", [] {
        const Context context;
        CHECK_EQUAL(std::string(velu_context_last_error(context)), "");
        CHECK_EQUAL(velu_memory_set(context, nullptr, 0, 1), VELU_STATUS_INVALID_ARGUMENT);
        CHECK_EQUAL(velu_context_synchronize(context), VELU_STATUS_SUCCESS);
        CHECK(std::strstr(velu_context_last_error(context), "velu_memory_set: ") != nullptr);
        CHECK(std::strlen(velu_context_last_error(nullptr)) > 0);
    });
    test("aContextInUseByAnotherThreadIsBusy", [] {
        const Context context;
        std::atomic<bool> stop{false};
        std::vector<float> gradients(1 << 20, 1.0f);
        std::thread other([&] {
            const velu_gradient_norm_desc desc = {check::device(), VELU_DTYPE_F32,
                                                  static_cast<int64_t>(gradients.size())};
            float norm = 0;
            while (!stop) {
                velu_gradient_norm(context, &desc, gradients.data(), &norm);
                velu_context_synchronize(context);
            }
        });
        int32_t threads = -1;
        velu_status status = VELU_STATUS_SUCCESS;
        for (int64_t tries = 0; tries < 100'000'000 && status == VELU_STATUS_SUCCESS; ++tries) {
            threads = -1;
            status = velu_context_threads(context, &threads);
        }
        stop = true;
        other.join();
        CHECK_EQUAL(status, VELU_STATUS_BUSY);
        CHECK_EQUAL(threads, -1);
        CHECK_EQUAL(std::string(velu_context_last_error(context)), "");
        CHECK_EQUAL(velu_context_threads(context, &threads), VELU_STATUS_SUCCESS);
    });
    test("contextCreateExplainsEachFailure", [] {
        const auto create = [](velu_context_desc desc, velu_status expected) {
            velu_context* context = reinterpret_cast<velu_context*>(1);
            char message[512] = "";
            CHECK_EQUAL(velu_context_create(&desc, &context, message, sizeof message), expected);
            CHECK(context == nullptr);
            CHECK(std::strncmp(message, "velu_context_create: ", 21) == 0);
            velu_context_create(&desc, &context, message, 5);
            CHECK_EQUAL(std::string(message), "velu");
            CHECK_EQUAL(velu_context_create(&desc, &context, nullptr, 0), expected);
            CHECK_EQUAL(velu_context_create(&desc, &context, nullptr, 9), expected);
        };
        create({7, 0, 1, 0, 0, 0}, VELU_STATUS_INVALID_ARGUMENT);
        create({check::device(), 1, 1, 0, 0, 0}, VELU_STATUS_INVALID_ARGUMENT);
        create({check::device(), -1, 1, 0, 0, 0}, VELU_STATUS_INVALID_ARGUMENT);
        create({check::device(), 0, -1, 0, 0, 0}, VELU_STATUS_INVALID_ARGUMENT);
        create({check::device(), 0, 1025, 0, 0, 0}, VELU_STATUS_INVALID_ARGUMENT);
        create({check::device(), 0, 1, 4, 0, 0}, VELU_STATUS_INVALID_ARGUMENT);
        create({check::device(), 0, 1, 0, 2, 0}, VELU_STATUS_INVALID_ARGUMENT);
        for (const int32_t device : {VELU_DEVICE_CPU, VELU_DEVICE_CUDA}) {
            velu_backend_info backend{};
            CHECK_EQUAL(velu_backend_query(device, &backend), VELU_STATUS_SUCCESS);
            if (backend.available) continue;
            CHECK(std::strlen(backend.reason) > 10);
            create({device, 0, 0, 0, 0, 0}, VELU_STATUS_BACKEND_UNAVAILABLE);
        }
        velu_context* context = nullptr;
        CHECK_EQUAL(velu_context_create(nullptr, &context, nullptr, 0), VELU_STATUS_INVALID_ARGUMENT);
        const velu_context_desc desc{};
        CHECK_EQUAL(velu_context_create(&desc, nullptr, nullptr, 0), VELU_STATUS_INVALID_ARGUMENT);
        CHECK_EQUAL(velu_context_destroy(nullptr), VELU_STATUS_SUCCESS);
    });
    test("backendAndDeviceDescribeThemselves", [] {
        velu_backend_info backend{};
        CHECK_EQUAL(velu_backend_query(check::device(), &backend), VELU_STATUS_SUCCESS);
        CHECK_EQUAL(backend.available, 1);
        CHECK_EQUAL(backend.device_count, 1);
        CHECK(std::strlen(backend.libraries) > 0);
        if (check::on_cpu()) CHECK(std::strncmp(backend.libraries, "oneDNN ", 7) == 0);
        CHECK_EQUAL(std::string(backend.reason), "");
        velu_device_info device{};
        CHECK_EQUAL(velu_device_query(check::device(), 0, &device), VELU_STATUS_SUCCESS);
        CHECK(device.memory_total > 0 && device.memory_free >= 0 && device.memory_free <= device.memory_total);
        CHECK(device.cores >= 1 && device.isa >= VELU_ISA_BASELINE && std::strlen(device.name) > 0);
        CHECK_EQUAL((device.dtypes >> VELU_DTYPE_F32 & 1), 1);
        CHECK_EQUAL((device.dtypes >> VELU_DTYPE_BF16 & 1) != 0, check::bfloat16_refusal().empty());
        std::fprintf(stderr, "    %s; %s, %d cores, isa %d, %lld of %lld MiB free\n", backend.libraries, device.name,
                     device.cores, device.isa, static_cast<long long>(device.memory_free >> 20),
                     static_cast<long long>(device.memory_total >> 20));
        CHECK_EQUAL(velu_device_query(check::device(), 1, &device), VELU_STATUS_INVALID_ARGUMENT);
        CHECK_EQUAL(velu_device_query(check::device(), -1, &device), VELU_STATUS_INVALID_ARGUMENT);
        CHECK_EQUAL(velu_device_query(9, 0, &device), VELU_STATUS_INVALID_ARGUMENT);
        CHECK_EQUAL(velu_device_query(check::device(), 0, nullptr), VELU_STATUS_INVALID_ARGUMENT);
        CHECK_EQUAL(velu_backend_query(-1, &backend), VELU_STATUS_INVALID_ARGUMENT);
        CHECK_EQUAL(velu_backend_query(check::device(), nullptr), VELU_STATUS_INVALID_ARGUMENT);
    });
    test("contextReportsItsThreads", [] {
        velu_device_info device{};
        velu_device_query(check::device(), 0, &device);
        for (const int32_t asked : {0, 1, 3}) {
            const Context context(asked);
            int32_t threads = -1;
            CHECK_SUCCESS(context, velu_context_threads(context, &threads));
            CHECK_EQUAL(threads, !check::on_cpu() ? 0 : asked == 0 ? device.cores : asked);
        }
        const Context context;
        rejected(context, "velu_context_threads", "NULL", velu_context_threads(context, nullptr));
        rejected(context, "velu_context_workspace_size", "NULL", velu_context_workspace_size(context, nullptr));
        CHECK_EQUAL(velu_context_threads(nullptr, nullptr), VELU_STATUS_INVALID_ARGUMENT);
        CHECK_EQUAL(velu_context_workspace_size(nullptr, nullptr), VELU_STATUS_INVALID_ARGUMENT);
        CHECK_EQUAL(velu_context_synchronize(nullptr), VELU_STATUS_INVALID_ARGUMENT);
    });
    test("memoryIsAlignedZeroedCopiedAndSet", [] {
        const Context context;
        void* memory = nullptr;
        CHECK_SUCCESS(context, velu_memory_allocate(context, 100, &memory));
        CHECK_EQUAL(reinterpret_cast<uintptr_t>(memory) % (check::on_cpu() ? 64 : 256), 0u);
        const auto content = [&] {
            std::string bytes(100, '?');
            CHECK_SUCCESS(context, velu_memory_copy(context, VELU_COPY_DEVICE_TO_HOST, memory, bytes.data(), 100));
            return bytes;
        };
        CHECK(content() == std::string(100, '\0'));
        CHECK_SUCCESS(context, velu_memory_set(context, memory, 0x1FF, 99));
        CHECK(content() == std::string(99, '\xFF') + '\0');
        const char text[] = "velu";
        CHECK_SUCCESS(context, velu_memory_copy(context, VELU_COPY_HOST_TO_DEVICE, text, memory, sizeof text));
        CHECK_EQUAL(std::string(content().c_str()), text);
        auto* bytes = static_cast<unsigned char*>(memory);
        CHECK_SUCCESS(context, velu_memory_copy(context, VELU_COPY_DEVICE_TO_HOST, nullptr, nullptr, 0));
        rejected(context, "velu_memory_copy", "direction", velu_memory_copy(context, 3, text, memory, 1));
        rejected(context, "velu_memory_copy", "negative", velu_memory_copy(context, 0, text, memory, -1));
        rejected(context, "velu_memory_copy", "overlap", velu_memory_copy(context, 2, bytes, bytes + 1, 2));
        rejected(context, "velu_memory_set", "negative", velu_memory_set(context, memory, 0, -1));
        CHECK_SUCCESS(context, velu_memory_free(context, memory));
        CHECK_SUCCESS(context, velu_memory_free(context, nullptr));
        rejected(context, "velu_memory_allocate", "0 bytes", velu_memory_allocate(context, 0, &memory));
        rejected(context, "velu_memory_allocate", "-1 bytes", velu_memory_allocate(context, -1, &memory));
        rejected(context, "velu_memory_allocate", "all", velu_memory_allocate(context, INT64_MAX, &memory));
        rejected(context, "velu_memory_allocate", "NULL", velu_memory_allocate(context, 1, nullptr));
        rejected(context, "velu_memory_allocate", "64 TiB", velu_memory_allocate(context, int64_t{1} << 46, &memory),
                 VELU_STATUS_OUT_OF_MEMORY);
        CHECK(memory == nullptr);
        CHECK_EQUAL(velu_memory_allocate(nullptr, 1, &memory), VELU_STATUS_INVALID_ARGUMENT);
        CHECK_EQUAL(velu_memory_free(nullptr, nullptr), VELU_STATUS_INVALID_ARGUMENT);
    });
    test("implNameKnowsEveryOperationAndRejectsOthers", [] {
        const Context context;
        each_operation([&](const char* function_name, const char*, auto, const auto& desc, const std::string&, auto&) {
            char name[64] = "";
            CHECK_SUCCESS(context, velu_impl_name(context, function_name + 5, &desc, name, sizeof name));
            CHECK(std::strlen(name) > 2);
        });
        char name[4] = "";
        CHECK_SUCCESS(context, velu_impl_name(context, "add_forward", nullptr, name, sizeof name));
        CHECK_EQUAL(std::strlen(name), 3u);
        rejected(context, "velu_impl_name", "unknown", velu_impl_name(context, "fly", nullptr, name, 4));
        rejected(context, "velu_impl_name", "no desc", velu_impl_name(context, "conv2d_forward", nullptr, name, 4));
        rejected(context, "velu_impl_name", "NULL", velu_impl_name(context, nullptr, nullptr, name, 4));
        rejected(context, "velu_impl_name", "no name", velu_impl_name(context, "add_forward", nullptr, nullptr, 4));
        rejected(context, "velu_impl_name", "0 bytes", velu_impl_name(context, "add_forward", nullptr, name, 0));
        CHECK_EQUAL(velu_impl_name(nullptr, "add_forward", nullptr, name, 4), VELU_STATUS_INVALID_ARGUMENT);
    });
    return check::report();
}
