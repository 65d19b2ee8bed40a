#include "cuda/dynlink/search.h"

#include <dlfcn.h>
#include <glob.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace velu::cuda::dynlink {
namespace {

std::vector<std::string> matches(const std::string& pattern) {
    std::vector<std::string> paths;
    glob_t found = {};
    if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
    }
    globfree(&found);
    return paths;
}

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

bool is_folder(const std::string& path) {
    struct stat status = {};
    return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

class FolderList {
public:
    /// One that a user named, kept even if it does not exist so that error messages show it.
    void add_named(const std::string& folder) {
        if (folder.empty()) return;
        append(folder);
        for (const char* below : {"/lib", "/lib64", "/nvidia/*/lib", "/org/bytedeco/cuda/linux-*"}) {
            add_existing(folder + below);
        }
    }
    void add_named_list(const std::string& list) {
        for (size_t begin = 0; begin <= list.size();) {
            const size_t end = std::min(list.find(':', begin), list.size());
            add_named(list.substr(begin, end - begin));
            begin = end + 1;
        }
    }
    void add_existing(const std::string& pattern) {
        for (const std::string& path : matches(pattern)) {
            if (is_folder(path)) append(path);
        }
    }
    void add_python_packages(const std::string& environment_root) {
        if (environment_root.empty()) return;
        for (const char* packages :
             {"/lib/python3*/site-packages", "/lib/python3*/dist-packages", "/lib64/python3*/site-packages"}) {
            add_existing(environment_root + packages + "/nvidia/*/lib");
        }
    }
    void append(const std::string& folder) {
        if (std::find(folders.begin(), folders.end(), folder) == folders.end()) folders.push_back(folder);
    }

    std::vector<std::string> folders;
};

}  // namespace

std::vector<std::string> search_folders(const std::string& library_path) {
    FolderList list;
    list.add_named_list(library_path);
    list.add_named_list(environment("VELU_CUDA_PATH"));
    list.append("");
    for (const char* folder : {"/usr/local/cuda/lib64", "/usr/local/cuda/targets/*-linux/lib",
                               "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"}) {
        list.add_existing(folder);
    }
    const std::string home = environment("HOME");
    list.add_python_packages(environment("VIRTUAL_ENV"));
    const std::string conda = environment("CONDA_PREFIX");
    if (!conda.empty()) list.add_existing(conda + "/lib");
    list.add_python_packages(conda);
    if (!home.empty()) list.add_python_packages(home + "/.local");
    list.add_python_packages("/usr");
    list.add_python_packages("/usr/local");
    return list.folders;
}

bool has_file(const std::string& folder, const std::string& name) {
    return access((folder + "/" + name).c_str(), F_OK) == 0;
}

void* open_library(const std::string& folder, const std::string& name, std::string& message) {
    message.clear();
    const std::string path = folder.empty() ? name : folder + "/" + name;
    if (!folder.empty() && !has_file(folder, name)) return nullptr;
    // Local: nothing else of the process may bind to these symbols by accident. The libraries find each other by their
    // names, which the dynamic linker remembers of every library it has loaded.
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle != nullptr) return handle;
    const char* error = dlerror();
    message = error == nullptr ? "dlopen failed" : error;
    // The dynamic linker has no separate answer for "no such file".
    if (folder.empty() && message.rfind(name + ": cannot open shared object file", 0) == 0) message.clear();
    return nullptr;
}

void* loaded_library(const std::string& name) {
    return dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
}

void preload_library(const std::vector<std::string>& folders, const std::string& name, const std::string& companions) {
    if (loaded_library(name) != nullptr) return;
    for (const std::string& folder : folders) {
        std::string message;
        if (!folder.empty() && !has_file(folder, name)) continue;
        if (!folder.empty() && !companions.empty()) {
            for (const std::string& path : matches(folder + "/" + companions)) {
                dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
            }
        }
        if (open_library(folder, name, message) != nullptr) return;
    }
}

std::string library_file(void* handle) {
    link_map* map = nullptr;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || map == nullptr) return "";
    return map->l_name;
}

}  // namespace velu::cuda::dynlink
