// Files of a bundle: opened without following links, read up to their size, listed.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "trtbuild_loader.hpp"

namespace trtbuild {

using Names = std::set<std::string>;

class File {
public:
    File(const std::string& root, const std::string& name);  // throws BundleError: missing, link, kind
    ~File();
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    std::uint64_t size() const { return size_; }
    // All of it in pieces; throws BundleError("size"): it ends early.
    void chunks(const std::function<void(const std::uint8_t*, std::size_t)>& take) const;
    Bytes content() const;

private:
    std::string name_;
    int descriptor_ = -1;
    std::uint64_t size_ = 0;
};

// Every file and folder below the root, as paths; links and special files are refused.
void list(const std::string& root, const std::string& inner, Names& files, Names& folders);

// Every folder on the way to a file.
Names parents(const Names& names);

}  // namespace trtbuild
