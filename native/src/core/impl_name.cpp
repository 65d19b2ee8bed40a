// velu_impl_name: the operations it knows, and the check of the descriptor that goes with the name.
#include <cstring>

#include "core/call.h"
#include "core/entries.h"

using velu::BackendTable;
using velu::Call;

namespace {

#define VELU_NAME(name) #name,
constexpr const char* kOperations[] = {VELU_OPERATION_ENTRIES(VELU_NAME)};
#undef VELU_NAME

bool is_operation(const char* name) {
    if (std::strstr(name, "_prepare") != nullptr) return false;
    for (const char* operation : kOperations) {
        if (std::strcmp(operation, name) == 0) return true;
    }
    return false;
}

bool starts_with(const char* name, const char* prefix) {
    return std::strncmp(name, prefix, std::strlen(prefix)) == 0;
}

}  // namespace

velu_status velu_impl_name(velu_context* context, const char* operation, const void* desc, char* name,
                           size_t capacity) {
    Call call(context, "velu_impl_name");
    if (call.failed()) return call.status();
    if (operation == nullptr || name == nullptr || capacity == 0) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT, "%s",
                  operation == nullptr ? "operation is NULL; pass a name such as \"conv2d_forward\""
                                       : "name has no room; pass at least one byte and its capacity");
        return call.status();
    }
    name[0] = '\0';
    if (!is_operation(operation)) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT,
                  "\"%.64s\" is not an operation; pass the function's name without the leading \"velu_\"", operation);
    } else if (starts_with(operation, "conv2d_")) {
        const auto* conv2d = static_cast<const velu_conv2d_desc*>(desc);
        if (call.begin(conv2d)) check_conv2d(call, *conv2d);
    } else if (starts_with(operation, "linear_")) {
        const auto* linear = static_cast<const velu_linear_desc*>(desc);
        if (call.begin(linear)) check_linear(call, *linear);
    } else if (starts_with(operation, "scaled_linear_")) {
        const auto* scaled = static_cast<const velu_scaled_linear_desc*>(desc);
        if (call.begin(scaled)) check_scaled_linear(call, *scaled);
    } else if (desc != nullptr) {
        call.begin(static_cast<const velu_add_desc*>(desc));  // every descriptor starts with device and dtype
    }
    return call.run(&BackendTable::impl_name, operation, desc, name, capacity);
}
