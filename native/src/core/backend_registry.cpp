#include "core/backend_registry.h"

#include "core/entries.h"

#include <dlfcn.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>

namespace velu {
namespace {

constexpr const char* kDeviceNames[] = {"cpu", "cuda"};
constexpr int32_t kDevices = sizeof kDeviceNames / sizeof kDeviceNames[0];

struct Slot {
    std::once_flag once;
    Backend backend;
    std::mutex path_mutex;
    bool opened = false;  // from then on library_path is fixed
    std::string library_path;
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
#define VELU_PRESENT(name) &&table.name != nullptr
    return true VELU_CONTEXT_ENTRIES(VELU_PRESENT);
#undef VELU_PRESENT
}

void load(int32_t device, const std::string& library_path, Backend& backend) {
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
    const auto entry = reinterpret_cast<const BackendTable* (*)(const char*)>(dlsym(handle, "velu_backend_table"));
    const BackendTable* table = entry == nullptr ? nullptr : entry(library_path.c_str());
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
    std::call_once(slot.once, [device, &slot] {
        {
            const std::lock_guard lock(slot.path_mutex);
            slot.opened = true;
        }
        load(device, slot.library_path, slot.backend);
    });
    return slot.backend;
}

bool set_library_path(int32_t device, const char* folders) {
    Slot& slot = slots[device];
    const std::lock_guard lock(slot.path_mutex);
    if (slot.opened) return false;
    slot.library_path = folders;
    return true;
}

}  // namespace velu
