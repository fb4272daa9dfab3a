// manifest.json by the rules of docs/bundle.md.
#pragma once

#include "files.hpp"
#include "trtbuild_loader.hpp"

namespace trtbuild {

inline const char manifest_name[] = "manifest.json";
inline const char signature_name[] = "manifest.sig";

const std::map<std::string, DType>& dtypes();  // by the manifest's names

// Throws BundleError: json, format, manifest, name, limit, duplicate.
Manifest parse_manifest(const Bytes& content);

[[noreturn]] void refuse(const std::string& reason, const std::string& what);  // the manifest

template <typename Map>
Names keys(const Map& map) {
    Names made;
    for (const auto& [key, value] : map) made.insert(key);
    return made;
}

}  // namespace trtbuild
