// Finding shared libraries that are opened at run time, in the order that libraries.h documents.
#pragma once

#include <string>
#include <vector>

namespace velu::cuda::dynlink {

/// Folders to look in, best first; "" stands for the dynamic linker's own path. library_path as in set_library_path.
/// Folders that do not exist are left out, unless they were named by the user.
std::vector<std::string> search_folders(const std::string& library_path);

/// Opens a library of one folder. NULL if that fails: `message` is then "" if the folder has no such file, else the
/// dynamic linker's words.
void* open_library(const std::string& folder, const std::string& name, std::string& message);

/// Whether a folder (not "") has a file of that name.
bool has_file(const std::string& folder, const std::string& name);

/// The library of that name which the process has loaded already, or NULL.
void* loaded_library(const std::string& name);

/// Opens the library from the first folder that has it, only so that a later library finds it by its name. Files of the
/// same folder that match `companions` (a pattern such as "libnvrtc-builtins.so*"; "" for none) are opened before it.
void preload_library(const std::vector<std::string>& folders, const std::string& name, const std::string& companions);

/// Path of the file that a handle of open_library was loaded from.
std::string library_file(void* handle);

}  // namespace velu::cuda::dynlink
