#include "core/backend_registry.h"

#include <dlfcn.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <cstring>
#include <mutex>

namespace velu {
namespace {

constexpr const char* kDeviceNames[] = {"cpu", "cuda"};
constexpr int32_t kDevices = sizeof kDeviceNames / sizeof kDeviceNames[0];

struct Slot {
    std::once_flag once;
    Backend backend;
};

Slot slots[kDevices];

/// Folder of the library that holds this function, with symbolic links resolved; false if the loader does not know it.
bool own_folder(char (&folder)[PATH_MAX]) {
    Dl_info info{};
    if (dladdr(reinterpret_cast<const void*>(&own_folder), &info) == 0 || info.dli_fname == nullptr) return false;
    if (realpath(info.dli_fname, folder) == nullptr) return false;
    char* slash = std::strrchr(folder, '/');
    if (slash == nullptr) return false;
    *slash = '\0';
    return true;
}

bool has_required_entries(const BackendTable& table) {
    return table.backend_query && table.device_query && table.context_create && table.context_destroy &&
           table.context_synchronize && table.context_threads && table.context_workspace_size && table.impl_name &&
           table.memory_allocate && table.memory_free && table.memory_copy && table.memory_set;
}

void load(int32_t device, Backend& backend) {
    const auto unavailable = [&backend](const char* format, const char* path, const char* why) {
        std::snprintf(backend.reason, sizeof backend.reason, format, path, why);
    };
    char folder[PATH_MAX];
    if (!own_folder(folder)) return unavailable("the folder of libvelu.so is unknown%s%s", "", "");
    char path[PATH_MAX + 32];
    std::snprintf(path, sizeof path, "%s/libvelu_%s.so", folder, kDeviceNames[device]);

    if (access(path, F_OK) != 0)
        return unavailable("this build has no such backend: %.300s does not exist%s", path, "");

    // Never closed: threads of its OpenMP runtime may live as long as the process.
    void* handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
        const char* why = dlerror();
        return unavailable("%.200s could not be loaded: %.250s", path, why == nullptr ? "unknown reason" : why);
    }
    const auto entry = reinterpret_cast<const BackendTable* (*)()>(dlsym(handle, "velu_backend_table"));
    const BackendTable* table = entry == nullptr ? nullptr : entry();
    if (table == nullptr) return unavailable("%.300s is not a VeLU backend%s", path, "");
    if (table->version != kBackendTableVersion || table->size != sizeof(BackendTable)) {
        return unavailable("%.300s is of another version than libvelu.so; install both from the same build%s", path,
                           "");
    }
    if (!has_required_entries(*table)) return unavailable("%.300s lacks entries that every backend has%s", path, "");
    backend.table = table;
}

}  // namespace

const char* device_name(int32_t device) {
    return device >= 0 && device < kDevices ? kDeviceNames[device] : nullptr;
}

const Backend& backend(int32_t device) {
    Slot& slot = slots[device];
    std::call_once(slot.once, [device, &slot] { load(device, slot.backend); });
    return slot.backend;
}

}  // namespace velu
