// The backends of this process, one per kind of device, each opened at its first use.
#pragma once

#include "core/backend.h"

namespace velu {

/// A loaded backend, or the reason why there is none.
struct Backend {
    const BackendTable* table = nullptr;
    char reason[512] = "";
};

/// "cpu" or "cuda"; nullptr for a device that velu.h does not name.
const char* device_name(int32_t device);

/// The backend of a device that device_name() knows. Loads it at the first call; thread-safe.
const Backend& backend(int32_t device);

/// Folders that the backend is to search for the libraries it opens; false if it has been loaded already. Throws
/// std::bad_alloc.
bool set_library_path(int32_t device, const char* folders);

}  // namespace velu
