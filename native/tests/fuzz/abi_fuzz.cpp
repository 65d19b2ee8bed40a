// libFuzzer target: any bytes as descriptors of any operation must end in a status, never in a crash, and never touch
// memory outside the buffers. Run: abi_fuzz -max_total_time=60
#include <cstring>
#include <vector>

#include "../check.h"
#include "../operations.h"

namespace {

constexpr size_t kBytes = 1 << 18;

/// Takes numbers from the fuzzer's input; zeros after its end.
struct Input {
    const uint8_t* data;
    size_t size;
    uint8_t byte() {
        if (size == 0) return 0;
        --size;
        return *data++;
    }
    template <class T>
    T number() {
        T value{};
        for (size_t i = 0; i < sizeof value; ++i) reinterpret_cast<uint8_t*>(&value)[i] = byte();
        return value;
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const check::Context context(2);
    static const int operation_count = operations::count();
    Input input{data, size};
    const int chosen = input.byte();
    int index = 0;
    operations::for_each([&]<class Desc, class... Pointers>(
                             const char*, const char* type,
                             velu_status (*function)(velu_context*, const Desc*, Pointers...), Desc desc, const char*) {
        if (index++ != chosen % operation_count) return;
        // Small sizes come with real buffers, which the address sanitizer guards; any sizes come without.
        const bool small = input.byte() % 2 == 0;
        operations::change_fields(type, desc, [&](const std::string& field, char* address, int64_t bytes) {
            if (bytes == 4 && (operations::is_float(field) || !small)) {
                const auto value = input.number<uint32_t>();
                std::memcpy(address, &value, sizeof value);
            } else if (bytes == 4) {
                const int32_t value = input.byte() % 9 - 1;
                std::memcpy(address, &value, sizeof value);
            } else {
                const int64_t value = small ? input.byte() % 9 - 1 : input.number<int64_t>();
                std::memcpy(address, &value, sizeof value);
            }
        });
        if (!small) {
            desc.device = input.byte() % 4 == 0 ? input.number<int32_t>() : desc.device;
            desc.dtype = input.byte() % 4 == 0 ? input.number<int32_t>() : desc.dtype;
        }
        std::vector<std::vector<unsigned char>> buffers;
        std::vector<void*> pointers(sizeof...(Pointers));
        for (size_t i = 0; i < pointers.size(); ++i) {
            buffers.emplace_back(small ? kBytes : 0, input.byte());
            if (small && input.byte() % 16 != 0) pointers[i] = buffers.back().data();
        }
        if (operations::call(function, context, &desc, pointers) != VELU_STATUS_SUCCESS &&
            std::strlen(velu_context_last_error(context)) == 0) {
            __builtin_trap();  // a failure without a message
        }
    });
    return 0;
}
