// The entry of the backend table that tells which implementation an operation uses.
#pragma once

#include "core/backend.h"

namespace velu::cpu {

velu_status impl_name(DeviceContext* context, const char* operation, const void* desc, char* name, size_t capacity);

}  // namespace velu::cpu
