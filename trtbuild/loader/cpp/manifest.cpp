#include "manifest.hpp"

#include <algorithm>

#include "json.hpp"

namespace trtbuild {
namespace {

using json::Kind;
using json::Value;

constexpr std::uint64_t max_file_bytes = std::uint64_t{1} << 34;
constexpr std::size_t max_files = 1000;
const Names metrics = {"max_abs", "mean_abs", "rmse", "cosine", "sqnr_db", "exact_share"};

const Value& need(const Value& object, const std::string& key, Kind kind, const std::string& place) {
    const Value* const found = object.find(key);
    const bool fits =
        found != nullptr && (found->kind == kind || (kind == Kind::number && found->kind == Kind::integer));
    if (!fits) refuse("manifest", place + key + (found == nullptr ? ": missing" : ": another type"));
    return *found;
}

std::string text(const Value& object, const std::string& key, const std::string& place) {
    return need(object, key, Kind::string, place).string;
}

bool is_hex64(const std::string& digits) {
    return digits.size() == 64 && digits.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Shape shape_of(const Value& object, const std::string& key, const std::string& place) {
    Shape shape;
    for (const Value& size : need(object, key, Kind::array, place).array) {
        if (size.kind != Kind::integer) refuse("manifest", place + key + ": not integers");
        shape.push_back(static_cast<std::int64_t>(size.number));
    }
    return shape;
}

Tensor tensor_of(const Value& object, const std::string& place) {
    const std::string dtype = text(object, "dtype", place);
    if (dtypes().count(dtype) == 0) refuse("manifest", place + "dtype: unknown");
    return {text(object, "name", place), dtypes().at(dtype), shape_of(object, "shape", place)};
}

Input input_of(const Value& object, const std::string& place) {
    const Value& profile = need(object, "profile", Kind::object, place);
    Input input{tensor_of(object, place), shape_of(profile, "min", place), shape_of(profile, "opt", place),
                shape_of(profile, "max", place)};
    const std::size_t rank = input.shape.size();
    if (input.min.size() != rank || input.opt.size() != rank || input.max.size() != rank)
        refuse("manifest", place + "profile: other ranks");
    return input;
}

bool is_capability(const std::string& word) {
    const std::size_t dot = word.find('.');
    if (dot == std::string::npos || dot < 1 || dot > 3 || word.size() - dot < 2 || word.size() - dot > 4) return false;
    return std::all_of(word.begin(), word.end(),
                       [&](const char& c) { return (c >= '0' && c <= '9') || &c == &word[dot]; });
}

EngineFacts engine_of(const Value& document) {
    const Value& object = need(document, "engine", Kind::object, "");
    const std::string place = "engine.";
    EngineFacts facts{text(object, "file", place),
                      text(object, "flavour", place),
                      text(object, "version", place),
                      need(object, "version_compatible", Kind::boolean, place).boolean,
                      need(object, "or_later", Kind::boolean, place).boolean,
                      {}};
    for (const Value& each : need(object, "compute_capabilities", Kind::array, place).array) {
        if (each.kind != Kind::string || !is_capability(each.string))
            refuse("manifest", "engine.compute_capabilities: not a list of MAJOR.MINOR");
        facts.compute_capabilities.push_back(each.string);
    }
    if (facts.compute_capabilities.empty()) refuse("manifest", "engine.compute_capabilities: none");
    if (facts.flavour != "tensorrt" && facts.flavour != "tensorrt-rtx") refuse("manifest", "engine.flavour: unknown");
    return facts;
}

std::map<std::string, std::string> files_of(const Value& object, const std::string& key) {
    std::map<std::string, std::string> made;
    for (const auto& [name, file] : need(object, key, Kind::object, "golden.").object) {
        if (file.kind != Kind::string) refuse("manifest", "golden." + key + ": another type");
        made[name] = file.string;
    }
    return made;
}

std::unique_ptr<Golden> golden_of(const Value& document) {
    const Value* const found = document.find("golden");
    if (found != nullptr && found->kind == Kind::null) return nullptr;
    const Value& object = need(document, "golden", Kind::object, "");
    need(object, "samples", Kind::integer, "golden.");
    auto golden = std::make_unique<Golden>();
    golden->inputs = files_of(object, "inputs");
    golden->outputs = files_of(object, "outputs");
    for (const auto& [output, limits] : need(object, "limits", Kind::object, "golden.").object) {
        if (limits.kind != Kind::object) refuse("manifest", "golden.limits: another type");
        auto& made = golden->limits[output];
        for (const auto& [metric, limit] : limits.object) {
            if (metrics.count(metric) == 0) refuse("manifest", "golden.limits: an unknown metric");
            made[metric] = need(limits, metric, Kind::number, "golden.limits.").number;
        }
        if (made.empty()) refuse("manifest", "golden.limits: an output without limits");
    }
    return golden;
}

void check_contradictions(const Manifest& manifest) {
    Names inputs, all;
    for (const Input& input : manifest.inputs) inputs.insert(input.name);
    all = inputs;
    for (const Tensor& output : manifest.outputs) all.insert(output.name);
    if (all.size() != manifest.inputs.size() + manifest.outputs.size())
        refuse("manifest", "inputs: a name occurs twice among inputs and outputs");
    if (manifest.files.count(manifest.engine.file) == 0) refuse("manifest", "engine.file: it is not in files");
    if (!manifest.golden) return;
    const Golden& golden = *manifest.golden;
    if (keys(golden.inputs) != inputs) refuse("manifest", "golden.inputs: not the engine's inputs");
    if (golden.outputs.empty() || keys(golden.limits) != keys(golden.outputs))
        refuse("manifest", "golden.limits: not those of golden.outputs");
    for (const auto& [name, file] : golden.outputs) {
        if (all.count(name) == 0 || inputs.count(name) != 0)
            refuse("manifest", "golden.outputs: not outputs of the engine");
        if (manifest.files.count(file) == 0) refuse("manifest", "golden: names a file that is not in files");
    }
    for (const auto& [name, file] : golden.inputs) {
        if (manifest.files.count(file) == 0) refuse("manifest", "golden: names a file that is not in files");
    }
}

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool is_path(const std::string& name) {
    std::size_t parts = 0, start = 0;
    while (true) {
        const std::size_t end = std::min(name.find('/', start), name.size());
        const std::string part = name.substr(start, end - start);
        if (part.empty() || part.size() > 100 || !is_letter_or_digit(part[0]) || ++parts > 8) return false;
        if (!std::all_of(part.begin(), part.end(),
                         [](char c) { return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-'; }))
            return false;
        if (end == name.size()) return true;
        start = end + 1;
    }
}

void check_paths(const std::map<std::string, FileFacts>& files) {
    if (files.size() > max_files) refuse("limit", "it lists more than 1000 files");
    Names folded;
    for (const auto& [name, facts] : files) {
        if (!is_path(name) || name == manifest_name || name == signature_name)
            refuse("name", "'" + name.substr(0, 200) + "' is not a path that a bundle may have");
        if (facts.size > max_file_bytes) refuse("limit", "'" + name + "' is too large");
        std::string lower = name;
        for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        if (!folded.insert(lower).second || lower == manifest_name || lower == signature_name)
            refuse("duplicate", "'" + name + "' is the same path as another on some file systems");
    }
    for (const std::string& above : parents(folded)) {
        if (folded.count(above) != 0) refuse("duplicate", "'" + above + "' is a file and a folder");
    }
}

}  // namespace

void refuse(const std::string& reason, const std::string& what) { throw BundleError(reason, manifest_name, what); }

const std::map<std::string, DType>& dtypes() {
    static const std::map<std::string, DType> known = {{"float32", DType::float32},   {"float16", DType::float16},
                                                       {"bfloat16", DType::bfloat16}, {"float64", DType::float64},
                                                       {"int8", DType::int8},         {"uint8", DType::uint8},
                                                       {"int32", DType::int32},       {"int64", DType::int64},
                                                       {"bool", DType::boolean},      {"float8", DType::float8}};
    return known;
}

Manifest parse_manifest(const Bytes& content) {
    Value document;
    try {
        document = json::parse(std::string(content.begin(), content.end()));
    } catch (const std::runtime_error& error) {
        refuse("json", std::string("not a JSON document by the rules: ") + error.what());
    }
    const Value* const format = document.find("format");
    const Value* const version = document.find("format_version");
    if (format == nullptr || format->kind != Kind::string || format->string != "trtbuild-bundle")
        refuse("format", "it is not the manifest of a bundle");
    if (version == nullptr || version->kind != Kind::integer || version->number != 1)
        refuse("format", "another format_version; this reader knows 1");
    Manifest manifest;
    manifest.name = text(document, "name", "");
    const Value* const key_id = document.find("key_id");
    if (key_id == nullptr || key_id->kind != Kind::null) manifest.key_id = text(document, "key_id", "");
    if ((key_id == nullptr || key_id->kind != Kind::null) && !is_hex64(manifest.key_id))
        refuse("manifest", "key_id: not 64 lowercase hex digits");
    for (const auto& [name, facts] : need(document, "files", Kind::object, "").object) {
        const Value& size = need(facts, "size", Kind::integer, "files.");
        const std::string sha256 = text(facts, "sha256", "files.");
        if (!is_hex64(sha256) || size.number < 0) refuse("manifest", "files." + name + ": not a sha256 and a size");
        manifest.files[name] = {sha256, static_cast<std::uint64_t>(size.number)};
    }
    manifest.engine = engine_of(document);
    for (const Value& each : need(document, "inputs", Kind::array, "").array)
        manifest.inputs.push_back(input_of(each, "inputs."));
    for (const Value& each : need(document, "outputs", Kind::array, "").array)
        manifest.outputs.push_back(tensor_of(each, "outputs."));
    manifest.golden = golden_of(document);
    check_contradictions(manifest);
    check_paths(manifest.files);
    return manifest;
}

}  // namespace trtbuild
