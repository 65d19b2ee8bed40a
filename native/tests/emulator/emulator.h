// What test doubles of NVIDIA's libraries need of the emulator: a way to put their work on a stream. Device memory can
// be touched only there.
#pragma once

#include <dlfcn.h>
#include <link.h>

#include <cstddef>
#include <cstring>

/// Puts work(copy of data) on a stream of the emulator, to be run (or recorded, and then run at every launch of the
/// graph) as a kernel is. Returns a cudaError_t. The emulated libvelu_cuda.so exports it.
extern "C" __attribute__((visibility("default"))) int velu_emulator_enqueue(void* stream,
                                                                            void (*work)(const void* data),
                                                                            const void* data, size_t bytes);

namespace emulator {

/// velu_emulator_enqueue of the libvelu_cuda.so that is loaded in this process, or NULL: the plugin is loaded where
/// plain symbol lookup does not see it.
inline decltype(&velu_emulator_enqueue) find_enqueue() {
    const char* path = nullptr;
    dl_iterate_phdr(
        [](dl_phdr_info* library, size_t, void* result) {
            const char* name = std::strrchr(library->dlpi_name, '/');
            if (name == nullptr || std::strcmp(name, "/libvelu_cuda.so") != 0) return 0;
            *static_cast<const char**>(result) = library->dlpi_name;
            return 1;
        },
        &path);
    if (path == nullptr) return nullptr;
    void* library = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    return library == nullptr
               ? nullptr
               : reinterpret_cast<decltype(&velu_emulator_enqueue)>(dlsym(library, "velu_emulator_enqueue"));
}

}  // namespace emulator
