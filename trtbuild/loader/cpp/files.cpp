#include "files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace trtbuild {
namespace {

constexpr std::size_t max_entries = 2000;

}  // namespace

File::File(const std::string& root, const std::string& name) : name_(name) {
    const std::string path = root + "/" + name;
    struct stat facts{};
    if (lstat(path.c_str(), &facts) == 0 && S_ISLNK(facts.st_mode)) throw BundleError("link", name, "it is a link");
    // Not blocking, so that a pipe is refused and not waited for.
    descriptor_ = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (descriptor_ < 0 && (errno == ENOENT || errno == ENOTDIR)) throw BundleError("missing", name, "it is not there");
    if (descriptor_ < 0) throw BundleError("missing", name, std::string("it cannot be read: ") + std::strerror(errno));
    if (fstat(descriptor_, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        close(descriptor_);
        throw BundleError("kind", name, "it is not a regular file");
    }
    size_ = static_cast<std::uint64_t>(facts.st_size);
}
File::~File() { close(descriptor_); }

void File::chunks(const std::function<void(const std::uint8_t*, std::size_t)>& take) const {
    Bytes buffer(1u << 20);
    for (std::uint64_t left = size_; left > 0;) {
        const ssize_t got = read(descriptor_, buffer.data(), std::min<std::uint64_t>(buffer.size(), left));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) throw BundleError("size", name_, "it ends early");
        take(buffer.data(), static_cast<std::size_t>(got));
        left -= static_cast<std::uint64_t>(got);
    }
}

Bytes File::content() const {
    Bytes all;
    all.reserve(size_);
    chunks([&all](const std::uint8_t* data, std::size_t count) { all.insert(all.end(), data, data + count); });
    return all;
}

void list(const std::string& root, const std::string& inner, Names& files, Names& folders) {
    const std::string path = inner.empty() ? root : root + "/" + inner;
    DIR* const opened = opendir(path.c_str());
    if (opened == nullptr)
        throw BundleError("missing", inner, std::string("it cannot be read: ") + std::strerror(errno));
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(opened, closedir);
    Names below;
    while (const dirent* const entry = readdir(folder.get())) {
        const std::string last = entry->d_name;
        if (last == "." || last == "..") continue;
        const std::string name = inner.empty() ? last : inner + "/" + last;
        struct stat facts{};
        if (lstat((root + "/" + name).c_str(), &facts) != 0) throw BundleError("missing", name, "it has just gone");
        if (S_ISLNK(facts.st_mode)) throw BundleError("link", name, "it is a link");
        if (!S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode))
            throw BundleError("kind", name, "it is not a regular file");
        (S_ISDIR(facts.st_mode) ? below : files).insert(name);
        if (files.size() + folders.size() + below.size() > max_entries) {
            throw BundleError("limit", root, "it has more than 2000 files and folders");
        }
    }
    folders.insert(below.begin(), below.end());
    for (const std::string& each : below) list(root, each, files, folders);
}

Names parents(const Names& names) {
    Names made;
    for (const std::string& name : names) {
        for (std::size_t at = name.find('/'); at != std::string::npos; at = name.find('/', at + 1))
            made.insert(name.substr(0, at));
    }
    return made;
}

}  // namespace trtbuild
