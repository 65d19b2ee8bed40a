// Memory of the CPU backend is host memory. The entries of the backend table; table.cpp lists them.
#pragma once

#include "core/backend.h"

namespace velu::cpu {

velu_status memory_allocate(DeviceContext* context, int64_t bytes, void** memory);
velu_status memory_free(DeviceContext* context, void* memory);
velu_status memory_copy(DeviceContext* context, int32_t direction, const void* source, void* destination,
                        int64_t bytes);
velu_status memory_set(DeviceContext* context, void* memory, int32_t value, int64_t bytes);

}  // namespace velu::cpu
