// A deployment bundle on the device: checked as docs/bundle.md says, then deserialised, then tested against itself.
//
// C++17 and OpenSSL's libcrypto (1.1.1 or later). Nothing here needs TensorRT's headers: what touches it is a Runtime,
// which tensorrt_runtime.cpp makes. Nothing is deserialised unless every check before has passed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace trtbuild {

using Shape = std::vector<std::int64_t>;
using Bytes = std::vector<std::uint8_t>;

// Why a bundle is refused: `reason` is one word of the tables in docs/bundle.md ("key": the public key cannot be used).
class BundleError : public std::runtime_error {
public:
    BundleError(std::string reason, std::string where, const std::string& what);
    const std::string reason;
    const std::string where;
};

enum class DType { float32, float16, bfloat16, float64, int8, uint8, int32, int64, boolean, float8 };

std::size_t bytes_of(DType dtype);
std::string name_of(DType dtype);  // as the manifest has it

struct Tensor {
    std::string name;
    DType dtype;
    Shape shape;  // -1: dynamic
};

struct Input : Tensor {
    Shape min, opt, max;
    bool takes(const Shape& actual) const;
};

struct EngineFacts {
    std::string file, flavour, version;
    bool version_compatible, or_later;
    std::vector<std::string> compute_capabilities;
    bool takes_version(const std::string& installed) const;
    bool takes_capability(const std::string& device) const;  // "8.9"
};

struct Golden {
    std::map<std::string, std::string> inputs, outputs;           // tensor -> file
    std::map<std::string, std::map<std::string, double>> limits;  // output -> metric -> limit
};

struct FileFacts {
    std::string sha256;
    std::uint64_t size;
};

struct Manifest {
    std::string name, key_id;  // key_id is empty where the bundle is not signed
    std::map<std::string, FileFacts> files;
    EngineFacts engine;
    std::vector<Input> inputs;
    std::vector<Tensor> outputs;
    std::unique_ptr<Golden> golden;  // null: none
};

struct Bundle {
    Manifest manifest;
    bool signature_checked;
    std::map<std::string, Bytes> kept;  // engine and golden arrays, as they were hashed
};

// Check a bundle's folder: signature, manifest, files and digests. `key`: the PEM file of the public key that it must
// be signed with; without one the signature is not checked. Throws BundleError.
Bundle open_bundle(const std::string& folder, const std::string& key = "");

// An array in host memory, C order: a view of the caller's, or one that owns its bytes.
struct View {
    DType dtype;
    Shape shape;
    const void* data;
};

struct Array {
    DType dtype;
    Shape shape;
    Bytes bytes;
    View view() const { return {dtype, shape, bytes.data()}; }
};

using Inputs = std::map<std::string, View>;
using Outputs = std::map<std::string, Array>;

// A deserialised engine; its tensors as TensorRT describes them.
class Running {
public:
    virtual ~Running() = default;
    virtual std::vector<Tensor> inputs() const = 0;
    virtual std::vector<Tensor> outputs() const = 0;
    virtual Outputs run(const Inputs& inputs) = 0;
};

// What touches TensorRT and the GPU.
class Runtime {
public:
    virtual ~Runtime() = default;
    virtual std::string version(const std::string& flavour) = 0;  // "1.7.1.116"; throws BundleError("flavour", …)
    virtual std::string compute_capability() = 0;                 // "8.9"; throws BundleError("device", …)
    virtual std::unique_ptr<Running> deserialise(const Bytes& plan,
                                                 bool host_code) = 0;  // throws BundleError("engine")
};

std::unique_ptr<Runtime> make_tensorrt_runtime();  // tensorrt_runtime.cpp

class Engine {
public:
    Engine(Bundle bundle, std::unique_ptr<Running> running);
    // The outputs by name, for inputs by name. Throws std::invalid_argument: a name, dtype or shape that is not the
    // manifest's.
    Outputs infer(const Inputs& inputs);
    // Run the golden inputs; every limit that is broken, in words. Throws BundleError: there are no golden arrays.
    std::vector<std::string> self_test();
    const Manifest& manifest() const { return bundle_.manifest; }

private:
    Bundle bundle_;
    std::unique_ptr<Running> running_;
};

// Check a bundle, load its engine, and test it where it has golden arrays. Throws BundleError with what is wrong first.
Engine load(const std::string& folder, const std::string& key, Runtime& runtime, bool self_test = true);

}  // namespace trtbuild
