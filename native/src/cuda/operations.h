// Every entry of the CUDA backend, with BackendTable's signatures; an operation's are in cuda/<operation>.cu.
#pragma once

#include "core/backend.h"
#include "core/entries.h"

#include <type_traits>

namespace velu::cuda {

VELU_CONTEXT_ENTRIES(VELU_DECLARE_ENTRY)
VELU_GRAPH_ENTRIES(VELU_DECLARE_ENTRY)
VELU_OPERATION_ENTRIES(VELU_DECLARE_ENTRY)

}  // namespace velu::cuda
