// The CUDA backend's table.
#include "cuda/dynlink/libraries.h"
#include "cuda/operations.h"

namespace velu::cuda {
namespace {

// clang-format off
constexpr BackendTable kTable = {
    .version = kBackendTableVersion,
    .size = sizeof(BackendTable),
    VELU_CONTEXT_ENTRIES(VELU_TABLE_ENTRY)
    VELU_GRAPH_ENTRIES(VELU_TABLE_ENTRY)
    VELU_OPERATION_ENTRIES(VELU_TABLE_ENTRY)
};
// clang-format on

}  // namespace
}  // namespace velu::cuda

const velu::BackendTable* velu_backend_table(const char* library_path) {
    velu::cuda::dynlink::set_library_path(library_path);
    return &velu::cuda::kTable;
}
