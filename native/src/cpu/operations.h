// Every entry of the CPU backend, with BackendTable's signatures; an operation's are in cpu/<operation>.cpp.
#pragma once

#include "core/backend.h"
#include "core/entries.h"

#include <type_traits>

namespace velu::cpu {

VELU_CONTEXT_ENTRIES(VELU_DECLARE_ENTRY)

VELU_OPERATION_ENTRIES(VELU_DECLARE_ENTRY)

/// The implementation's name for operations that are not oneDNN's (impl_name.cpp asks oneDNN for the others).
const char* isa_name(int32_t isa);  // "baseline", "avx2", "avx512"

}  // namespace velu::cpu
