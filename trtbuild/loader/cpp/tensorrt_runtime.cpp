// The only part of the loader that touches TensorRT (10.3 and later) or TensorRT-RTX, and CUDA's runtime.
#include <NvInferRuntime.h>
#include <cuda_runtime_api.h>

#include <cstdio>

#include "trtbuild_loader.hpp"

namespace trtbuild {
namespace {

#ifdef TRT_MAJOR_RTX
const char flavour_here[] = "tensorrt-rtx";
#else
const char flavour_here[] = "tensorrt";
#endif

class Log final : public nvinfer1::ILogger {
public:
    void log(Severity severity, const char* message) noexcept override {
        if (severity > Severity::kWARNING) return;
        std::fprintf(stderr, "%s\n", message);
        if (severity <= Severity::kERROR) last_error = message;
    }
    std::string last_error;
};

void check(cudaError_t status, const char* what) {
    if (status != cudaSuccess) throw BundleError("device", what, cudaGetErrorString(status));
}

Shape shape_of(const nvinfer1::Dims& dims) { return Shape(dims.d, dims.d + dims.nbDims); }

DType dtype_of(nvinfer1::DataType type, const std::string& name) {
    switch (type) {
        case nvinfer1::DataType::kFLOAT: return DType::float32;
        case nvinfer1::DataType::kHALF: return DType::float16;
        case nvinfer1::DataType::kBF16: return DType::bfloat16;
        case nvinfer1::DataType::kFP8: return DType::float8;
        case nvinfer1::DataType::kINT8: return DType::int8;
        case nvinfer1::DataType::kUINT8: return DType::uint8;
        case nvinfer1::DataType::kINT32: return DType::int32;
        case nvinfer1::DataType::kINT64: return DType::int64;
        case nvinfer1::DataType::kBOOL: return DType::boolean;
        default: throw BundleError("contract", "engine", "'" + name + "' has a type that no array holds");
    }
}

// Device memory that grows.
class Buffer {
public:
    Buffer() = default;
    ~Buffer() { cudaFree(address_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    void* at_least(std::size_t bytes) {
        if (bytes > size_ || address_ == nullptr) {
            cudaFree(address_);
            address_ = nullptr;
            size_ = bytes > 0 ? bytes : 1;  // an empty tensor needs an address, too
            check(cudaMalloc(&address_, size_), "memory");
        }
        return address_;
    }

private:
    void* address_ = nullptr;
    std::size_t size_ = 0;
};

std::size_t bytes_of_array(DType dtype, const Shape& shape) {
    std::size_t count = bytes_of(dtype);
    for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
    return count;
}

class Deserialised final : public Running {
public:
    Deserialised(std::shared_ptr<Log> log, std::unique_ptr<nvinfer1::IRuntime> runtime,
                 std::unique_ptr<nvinfer1::ICudaEngine> engine)
        : log_(std::move(log)),
          runtime_(std::move(runtime)),
          engine_(std::move(engine)),
          context_(engine_->createExecutionContext()) {
        if (!context_) throw BundleError("engine", "engine", "no execution context: " + log_->last_error);
        for (std::int32_t i = 0; i < engine_->getNbIOTensors(); ++i) {
            const char* const name = engine_->getIOTensorName(i);
            const bool reads = engine_->getTensorIOMode(name) == nvinfer1::TensorIOMode::kINPUT;
            if (engine_->getTensorLocation(name) == nvinfer1::TensorLocation::kHOST) {
                throw BundleError(
                    "contract", "engine",
                    std::string("'") + name + "' is a shape on the host, which this loader does not feed");
            }
            (reads ? inputs_ : outputs_)
                .push_back(
                    {name, dtype_of(engine_->getTensorDataType(name), name), shape_of(engine_->getTensorShape(name))});
        }
        check(cudaStreamCreate(&stream_), "stream");
    }
    ~Deserialised() override { cudaStreamDestroy(stream_); }

    std::vector<Tensor> inputs() const override { return inputs_; }
    std::vector<Tensor> outputs() const override { return outputs_; }

    Outputs run(const Inputs& inputs) override {
        for (const Tensor& spec : inputs_) {
            const View& view = inputs.at(spec.name);
            nvinfer1::Dims dims{};
            dims.nbDims = static_cast<std::int32_t>(view.shape.size());
            for (std::size_t i = 0; i < view.shape.size(); ++i)
                dims.d[i] = static_cast<decltype(+dims.d[i])>(view.shape[i]);
            if (!context_->setInputShape(spec.name.c_str(), dims))
                fail("'" + spec.name + "' has a shape outside the profile");
            const std::size_t bytes = bytes_of_array(view.dtype, view.shape);
            void* const address = buffers_[spec.name].at_least(bytes);
            if (bytes > 0) check(cudaMemcpyAsync(address, view.data, bytes, cudaMemcpyHostToDevice, stream_), "upload");
            if (!context_->setTensorAddress(spec.name.c_str(), address)) fail("'" + spec.name + "' accepts no buffer");
        }
        Outputs made;
        for (const Tensor& spec : outputs_) {
            Array array{spec.dtype, shape_of(context_->getTensorShape(spec.name.c_str())), {}};
            for (const std::int64_t size : array.shape) {
                if (size < 0)
                    throw BundleError(
                        "contract", "engine",
                        "the shape of '" + spec.name + "' depends on the data; this loader does not run it");
            }
            array.bytes.resize(bytes_of_array(array.dtype, array.shape));
            if (!context_->setTensorAddress(spec.name.c_str(), buffers_[spec.name].at_least(array.bytes.size())))
                fail("'" + spec.name + "' accepts no buffer");
            made[spec.name] = std::move(array);
        }
        if (!context_->enqueueV3(stream_)) fail("TensorRT cannot run the engine");
        for (auto& [name, array] : made) {
            if (array.bytes.empty()) continue;
            check(cudaMemcpyAsync(array.bytes.data(), buffers_[name].at_least(0), array.bytes.size(),
                                  cudaMemcpyDeviceToHost, stream_),
                  "download");
        }
        check(cudaStreamSynchronize(stream_), "run");
        return made;
    }

private:
    std::shared_ptr<Log> log_;
    std::unique_ptr<nvinfer1::IRuntime> runtime_;
    std::unique_ptr<nvinfer1::ICudaEngine> engine_;
    std::unique_ptr<nvinfer1::IExecutionContext> context_;
    std::vector<Tensor> inputs_, outputs_;
    std::map<std::string, Buffer> buffers_;
    cudaStream_t stream_ = nullptr;

    [[noreturn]] void fail(const std::string& what) const {
        throw BundleError("engine", "engine", what + ": " + log_->last_error);
    }
};

class TensorRT final : public Runtime {
public:
    std::string version(const std::string& flavour) override {
        if (flavour != flavour_here)
            throw BundleError("flavour", "engine", "this program is built with " + std::string(flavour_here));
        std::string made;
        for (const std::int32_t part : {getInferLibMajorVersion(), getInferLibMinorVersion(), getInferLibPatchVersion(),
                                        getInferLibBuildVersion()}) {
            made += (made.empty() ? "" : ".") + std::to_string(part);
        }
        return made;
    }

    std::string compute_capability() override {
        int major = 0, minor = 0;
        check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0), "device");
        check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0), "device");
        return std::to_string(major) + "." + std::to_string(minor);
    }

    std::unique_ptr<Running> deserialise(const Bytes& plan, bool host_code) override {
        std::unique_ptr<nvinfer1::IRuntime> runtime(nvinfer1::createInferRuntime(*log_));
        if (!runtime) throw BundleError("engine", "engine", "no runtime: " + log_->last_error);
        runtime->setEngineHostCodeAllowed(host_code);
        std::unique_ptr<nvinfer1::ICudaEngine> engine(runtime->deserializeCudaEngine(plan.data(), plan.size()));
        if (!engine) throw BundleError("engine", "engine", "TensorRT refuses it: " + log_->last_error);
        return std::make_unique<Deserialised>(log_, std::move(runtime), std::move(engine));
    }

private:
    std::shared_ptr<Log> log_ = std::make_shared<Log>();
};

}  // namespace

std::unique_ptr<Runtime> make_tensorrt_runtime() { return std::make_unique<TensorRT>(); }

}  // namespace trtbuild
