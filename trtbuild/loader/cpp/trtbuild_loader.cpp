#include "trtbuild_loader.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include <algorithm>

#include "files.hpp"
#include "manifest.hpp"
#include "npy.hpp"

namespace trtbuild {
namespace {

constexpr std::uint64_t max_manifest_bytes = 1u << 20;
constexpr std::size_t signature_bytes = 64, max_key_bytes = 1u << 14;

struct Freed {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    void operator()(BIO* bio) const { BIO_free(bio); }
};
template <typename T>
using Owned = std::unique_ptr<T, Freed>;

Owned<EVP_PKEY> public_key(const std::string& path) {
    const Owned<BIO> file(BIO_new_file(path.c_str(), "r"));
    if (!file) throw BundleError("key", path, "the key cannot be read");
    std::string pem(max_key_bytes, '\0');
    const int got = BIO_read(file.get(), &pem[0], static_cast<int>(pem.size()));
    const Owned<BIO> memory(BIO_new_mem_buf(pem.data(), std::max(got, 0)));
    Owned<EVP_PKEY> key(memory ? PEM_read_bio_PUBKEY(memory.get(), nullptr, nullptr, nullptr) : nullptr);
    if (!key || EVP_PKEY_id(key.get()) != EVP_PKEY_ED25519)
        throw BundleError("key", path, "not an Ed25519 public key in PEM");
    return key;
}

bool is_signed(EVP_PKEY* key, const Bytes& signature, const Bytes& content) {
    const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
    return context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key) == 1 &&
           EVP_DigestVerify(context.get(), signature.data(), signature.size(), content.data(), content.size()) == 1;
}

void check_signature(const std::string& root, EVP_PKEY* key, const Bytes& content) {
    Bytes signature;
    try {
        const File file(root, signature_name);
        if (file.size() == signature_bytes) signature = file.content();
    } catch (const BundleError& error) {
        if (error.reason != "missing") throw;
        throw BundleError("unsigned", signature_name, "the bundle is not signed");
    }
    if (signature.empty())
        throw BundleError("signature", signature_name, "it does not have the 64 bytes of a signature");
    if (!is_signed(key, signature, content)) {
        throw BundleError("signature", signature_name, "it is not this key's signature of manifest.json");
    }
}

// The sha256 in hex; `kept` gets the bytes where it is not null.
std::string digest(const File& file, Bytes* kept) {
    const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
    if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1)
        throw std::runtime_error("no SHA-256");
    if (kept != nullptr) kept->reserve(file.size());
    file.chunks([&](const std::uint8_t* data, std::size_t count) {
        EVP_DigestUpdate(context.get(), data, count);
        if (kept != nullptr) kept->insert(kept->end(), data, data + count);
    });
    unsigned char made[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    if (EVP_DigestFinal_ex(context.get(), made, &length) != 1) throw std::runtime_error("no SHA-256");
    std::string hex;
    for (unsigned int i = 0; i < length; ++i) {
        hex.push_back("0123456789abcdef"[made[i] >> 4]);
        hex.push_back("0123456789abcdef"[made[i] & 15]);
    }
    return hex;
}

void check_listing(const std::string& root, const Manifest& manifest) {
    Names present, folders;
    list(root, "", present, folders);
    Names wanted = keys(manifest.files);
    wanted.insert(manifest_name);
    if (!manifest.key_id.empty()) wanted.insert(signature_name);
    const Names above = parents(wanted);
    Names strays;
    for (const std::string& name : present)
        if (wanted.count(name) == 0) strays.insert(name);
    for (const std::string& name : folders)
        if (above.count(name) == 0) strays.insert(name);
    if (!strays.empty()) throw BundleError("unlisted", *strays.begin(), "the manifest does not list it");
    for (const std::string& name : wanted)
        if (present.count(name) == 0) throw BundleError("missing", name, "it is not there");
    for (const std::string& name : wanted) {
        if (name == manifest_name) continue;
        const std::uint64_t size = name == signature_name ? signature_bytes : manifest.files.at(name).size;
        if (File(root, name).size() != size)
            throw BundleError("size", name, "it does not have the size that the manifest says");
    }
}

std::map<std::string, Bytes> check_digests(const std::string& root, const Manifest& manifest) {
    Names wanted = {manifest.engine.file};
    if (manifest.golden) {
        for (const auto& [name, file] : manifest.golden->inputs) wanted.insert(file);
        for (const auto& [name, file] : manifest.golden->outputs) wanted.insert(file);
    }
    std::map<std::string, Bytes> kept;
    for (const auto& [name, facts] : manifest.files) {
        const File file(root, name);
        if (file.size() != facts.size) throw BundleError("size", name, "its size has just changed");
        Bytes* const keep = wanted.count(name) != 0 ? &kept[name] : nullptr;
        if (digest(file, keep) != facts.sha256)
            throw BundleError("digest", name, "it is not what the manifest lists (sha256)");
    }
    return kept;
}

void check_golden(const Manifest& manifest, const std::map<std::string, Bytes>& kept) {
    if (!manifest.golden) return;
    for (const Input& input : manifest.inputs) {
        const std::string& file = manifest.golden->inputs.at(input.name);
        const View array = npy::read(kept.at(file), file);
        if (array.dtype != input.dtype || !input.takes(array.shape))
            throw BundleError("golden", file, "input '" + input.name + "' does not take it");
    }
    for (const auto& [name, file] : manifest.golden->outputs) npy::read(kept.at(file), file);
}

std::vector<std::int64_t> numbers(const std::string& version) {
    std::vector<std::int64_t> made;
    std::size_t start = 0;
    while (start <= version.size()) {
        const std::size_t end = std::min(version.find('.', start), version.size());
        const std::string part = version.substr(start, end - start);
        if (!part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == std::string::npos)
            made.push_back(std::stoll(part));
        start = end + 1;
    }
    return made;
}

void check_place(const EngineFacts& facts, Runtime& runtime) {
    const std::string version = runtime.version(facts.flavour);
    if (!facts.takes_version(version)) {
        throw BundleError("version", facts.file,
                          facts.flavour + " " + version + " is installed, the engine needs " + facts.version);
    }
    const std::string device = runtime.compute_capability();
    if (!facts.takes_capability(device)) {
        std::string have;
        for (const std::string& each : facts.compute_capabilities) have += (have.empty() ? "" : ", ") + each;
        throw BundleError("device", facts.file,
                          "this device has compute capability " + device + ", the engine is for " + have +
                              (facts.or_later ? " and later" : ""));
    }
}

bool alike(const Tensor& said, const Tensor& has) {
    if (said.dtype != has.dtype || said.shape.size() != has.shape.size()) return false;
    for (std::size_t i = 0; i < said.shape.size(); ++i) {
        if (said.shape[i] != has.shape[i] && said.shape[i] != -1 && has.shape[i] != -1) return false;
    }
    return true;
}

template <typename Stated>
void check_side(const std::vector<Stated>& stated, const std::vector<Tensor>& found, const std::string& file) {
    const auto named = [](const auto& side, const std::string& name) {
        return std::find_if(side.begin(), side.end(), [&name](const Tensor& each) { return each.name == name; });
    };
    for (const Tensor& each : stated) {
        const auto has = named(found, each.name);
        if (has == found.end() || !alike(each, *has))
            throw BundleError("contract", file, "'" + each.name + "' is not what the manifest says");
    }
    for (const Tensor& each : found) {
        if (named(stated, each.name) == stated.end())
            throw BundleError("contract", file, "'" + each.name + "' is not in the manifest");
    }
}

}  // namespace

BundleError::BundleError(std::string reason_, std::string where_, const std::string& what)
    : std::runtime_error(where_ + ": " + what + " [" + reason_ + "]"),
      reason(std::move(reason_)),
      where(std::move(where_)) {}

std::size_t bytes_of(DType dtype) {
    switch (dtype) {
        case DType::float64:
        case DType::int64: return 8;
        case DType::float32:
        case DType::int32: return 4;
        case DType::float16:
        case DType::bfloat16: return 2;
        default: return 1;
    }
}

std::string name_of(DType dtype) {
    for (const auto& [name, value] : dtypes())
        if (value == dtype) return name;
    return "unknown";
}

bool Input::takes(const Shape& actual) const {
    if (actual.size() != min.size()) return false;
    for (std::size_t i = 0; i < actual.size(); ++i)
        if (actual[i] < min[i] || actual[i] > max[i]) return false;
    return true;
}

bool EngineFacts::takes_version(const std::string& installed) const {
    if (installed == version || !version_compatible) return installed == version;
    const auto built = numbers(version), here = numbers(installed);
    return !built.empty() && !here.empty() && built[0] == here[0] && built <= here;
}

bool EngineFacts::takes_capability(const std::string& device) const {
    const auto is = [&device](const std::string& each) { return each == device; };
    if (!or_later) return std::any_of(compute_capabilities.begin(), compute_capabilities.end(), is);
    const auto least =
        std::min_element(compute_capabilities.begin(), compute_capabilities.end(),
                         [](const std::string& a, const std::string& b) { return numbers(a) < numbers(b); });
    return numbers(device) >= numbers(*least);
}

Bundle open_bundle(const std::string& folder, const std::string& key) {
    const Owned<EVP_PKEY> chosen = key.empty() ? nullptr : public_key(key);
    struct stat facts{};
    if (stat(folder.c_str(), &facts) != 0) throw BundleError("missing", folder, "no such bundle");
    if (!S_ISDIR(facts.st_mode)) throw BundleError("archive", folder, "this loader takes folders; unpack it with tar");
    Bytes content;
    {
        const File file(folder, manifest_name);
        if (file.size() > max_manifest_bytes) refuse("limit", "it has more than 1 MiB");
        content = file.content();
    }
    if (chosen) check_signature(folder, chosen.get(), content);
    Manifest manifest = parse_manifest(content);
    check_listing(folder, manifest);
    std::map<std::string, Bytes> kept = check_digests(folder, manifest);
    check_golden(manifest, kept);
    return {std::move(manifest), chosen != nullptr, std::move(kept)};
}

Engine::Engine(Bundle bundle, std::unique_ptr<Running> running)
    : bundle_(std::move(bundle)), running_(std::move(running)) {}

Outputs Engine::infer(const Inputs& inputs) {
    for (const Input& spec : bundle_.manifest.inputs) {
        const auto given = inputs.find(spec.name);
        if (given == inputs.end()) throw std::invalid_argument(spec.name + ": this input is missing");
        if (given->second.dtype != spec.dtype || !spec.takes(given->second.shape)) {
            throw std::invalid_argument(spec.name + ": the engine takes " + name_of(spec.dtype) +
                                        " of other shapes or another dtype");
        }
    }
    if (inputs.size() != bundle_.manifest.inputs.size())
        throw std::invalid_argument("an input that the engine does not have");
    return running_->run(inputs);
}

std::vector<std::string> Engine::self_test() {
    const Golden* const golden = bundle_.manifest.golden.get();
    if (golden == nullptr) throw BundleError("golden", "self-test", "the bundle has no golden arrays");
    Inputs inputs;
    for (const auto& [name, file] : golden->inputs) inputs.emplace(name, npy::read(bundle_.kept.at(file), file));
    const Outputs made = infer(inputs);
    std::vector<std::string> broken;
    for (const auto& [name, file] : golden->outputs) {
        if (made.count(name) == 0) throw BundleError("golden", "self-test", "output '" + name + "' did not come out");
        for (const std::string& line : npy::broken_limits(npy::read(bundle_.kept.at(file), file), made.at(name).view(),
                                                          golden->limits.at(name))) {
            broken.push_back(name + ": " + line);
        }
    }
    return broken;
}

Engine load(const std::string& folder, const std::string& key, Runtime& runtime, bool self_test) {
    Bundle bundle = open_bundle(folder, key);
    const EngineFacts& facts = bundle.manifest.engine;
    check_place(facts, runtime);
    std::unique_ptr<Running> running = runtime.deserialise(bundle.kept.at(facts.file), facts.version_compatible);
    check_side(bundle.manifest.inputs, running->inputs(), facts.file);
    check_side(bundle.manifest.outputs, running->outputs(), facts.file);
    Engine engine(std::move(bundle), std::move(running));
    if (self_test && engine.manifest().golden) {
        const std::vector<std::string> broken = engine.self_test();
        if (!broken.empty()) throw BundleError("golden", "self-test", broken.front());
    }
    return engine;
}

}  // namespace trtbuild
