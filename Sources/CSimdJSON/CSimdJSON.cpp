#include "CSimdJSON.h"

#include <simdjson.h>

#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <vector>

using namespace simdjson;

namespace {

// simdjson's on-demand parser checks only what is visited, so every value is visited. It is used rather than the DOM parser because
// that one refuses valid numbers beyond 64 bits and does not keep a number's characters.
constexpr int max_depth = 1024;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_number(std::string_view token) {
    size_t i = 0;
    auto digits = [&] {
        size_t start = i;
        while (i < token.size() && is_digit(token[i])) i++;
        return i > start;
    };
    if (i < token.size() && token[i] == '-') i++;
    if (i < token.size() && token[i] == '0') {
        i++;
    } else if (!digits()) {
        return false;
    }
    if (i < token.size() && token[i] == '.') {
        i++;
        if (!digits()) return false;
    }
    if (i < token.size() && (token[i] == 'e' || token[i] == 'E')) {
        i++;
        if (i < token.size() && (token[i] == '+' || token[i] == '-')) i++;
        if (!digits()) return false;
    }
    return i == token.size();
}

bool is_same(const csimdjson_name &name, std::string_view text) {
    return name.length == text.size() && std::memcmp(name.bytes, text.data(), text.size()) == 0;
}

// Whether the text of a string, up to its closing quote, is the name as it stands, so that there is nothing to unescape. Names are
// shorter than the padding.
bool is_next(const csimdjson_name &name, const char *text) {
    return std::memcmp(name.bytes, text, name.length) == 0 && text[name.length] == '"';
}

std::string_view without_trailing_space(std::string_view token) {
    while (!token.empty() && (token.back() == ' ' || token.back() == '\t' || token.back() == '\n' || token.back() == '\r')) {
        token.remove_suffix(1);
    }
    return token;
}

// Visits one value. `out` may be null: the value is then only checked.
error_code visit(ondemand::value value, csimdjson_value *out, int depth) {
    ondemand::json_type type;
    SIMDJSON_TRY(value.type().get(type));
    csimdjson_value found{nullptr, 0, CSIMDJSON_OTHER};
    switch (type) {
        case ondemand::json_type::string: {
            std::string_view text;
            SIMDJSON_TRY(value.get_string().get(text));
            found = {text.data(), text.size(), CSIMDJSON_STRING};
            break;
        }
        case ondemand::json_type::number: {
            auto token = without_trailing_space(value.raw_json_token());
            if (!is_number(token)) return NUMBER_ERROR;
            found = {token.data(), token.size(), CSIMDJSON_NUMBER};
            break;
        }
        case ondemand::json_type::boolean: {
            auto token = without_trailing_space(value.raw_json_token());
            if (token != "true" && token != "false") return TAPE_ERROR;
            break;
        }
        case ondemand::json_type::null: {
            if (without_trailing_space(value.raw_json_token()) != "null") return TAPE_ERROR;
            found.kind = CSIMDJSON_NULL;
            break;
        }
        case ondemand::json_type::array: {
            if (depth >= max_depth) return DEPTH_ERROR;
            ondemand::array array;
            SIMDJSON_TRY(value.get_array().get(array));
            for (auto element : array) {
                ondemand::value inner;
                SIMDJSON_TRY(std::move(element).get(inner));
                SIMDJSON_TRY(visit(inner, nullptr, depth + 1));
            }
            break;
        }
        case ondemand::json_type::object: {
            if (depth >= max_depth) return DEPTH_ERROR;
            ondemand::object object;
            SIMDJSON_TRY(value.get_object().get(object));
            for (auto member : object) {
                ondemand::field field;
                SIMDJSON_TRY(std::move(member).get(field));
                std::string_view name;
                SIMDJSON_TRY(field.unescaped_key().get(name));
                SIMDJSON_TRY(visit(field.value(), nullptr, depth + 1));
            }
            break;
        }
    }
    if (out) *out = found;
    return SUCCESS;
}

}  // namespace

struct csimdjson_parser {
    ondemand::parser parser;
    std::unique_ptr<char[]> buffer;
    size_t capacity = 0;
    // By name, which one came after it in the message before, and in the last place which one came first: programs write their members in
    // the same order again and again.
    std::vector<size_t> followers;

    // simdjson reads up to SIMDJSON_PADDING bytes past the end; librdkafka's buffers have no such room.
    bool load(const char *prefix, const uint8_t *json, size_t length, const char *suffix, size_t &total) {
        size_t before = std::strlen(prefix), after = std::strlen(suffix);
        total = before + length + after;
        if (total + SIMDJSON_PADDING > capacity) {
            size_t wanted = total * 2 + SIMDJSON_PADDING;
            buffer.reset(new (std::nothrow) char[wanted]);
            capacity = buffer ? wanted : 0;
            if (!buffer) return false;
        }
        std::memcpy(buffer.get(), prefix, before);
        if (length) std::memcpy(buffer.get() + before, json, length);
        std::memcpy(buffer.get() + before + length, suffix, after);
        std::memset(buffer.get() + total, 0, SIMDJSON_PADDING);
        return true;
    }

    error_code object_members(size_t total, const csimdjson_name *names, size_t count, csimdjson_value *values) {
        ondemand::document document;
        SIMDJSON_TRY(parser.iterate(buffer.get(), total, capacity).get(document));
        ondemand::object object;
        SIMDJSON_TRY(document.get_object().get(object));
        followers.resize(count + 1, count);
        size_t previous = count;
        for (auto member : object) {
            ondemand::field field;
            SIMDJSON_TRY(std::move(member).get(field));
            size_t i = followers[previous];
            if (i >= count || !is_next(names[i], field.key().raw())) {
                std::string_view name;
                SIMDJSON_TRY(field.unescaped_key().get(name));
                for (i = 0; i < count && !is_same(names[i], name); i++) {}
                followers[previous] = i;
            }
            if (i < count) previous = i;
            SIMDJSON_TRY(visit(field.value(), i < count ? &values[i] : nullptr, 1));
        }
        return at_end(document) ? SUCCESS : TRAILING_CONTENT;
    }

    // Whether the loaded text, which is some value in an array's brackets, holds exactly one valid value.
    error_code single_value(size_t total) {
        ondemand::document document;
        SIMDJSON_TRY(parser.iterate(buffer.get(), total, capacity).get(document));
        ondemand::array array;
        SIMDJSON_TRY(document.get_array().get(array));
        size_t found = 0;
        for (auto element : array) {
            ondemand::value value;
            SIMDJSON_TRY(std::move(element).get(value));
            SIMDJSON_TRY(visit(value, nullptr, 0));
            found++;
        }
        return found == 1 && at_end(document) ? SUCCESS : TRAILING_CONTENT;
    }

    static bool at_end(ondemand::document &document) {
        return document.current_location().error() == OUT_OF_BOUNDS;
    }
};

csimdjson_parser *csimdjson_parser_create(void) { return new (std::nothrow) csimdjson_parser(); }

void csimdjson_parser_free(csimdjson_parser *parser) { delete parser; }

csimdjson_result csimdjson_parse(
    csimdjson_parser *parser, const uint8_t *json, size_t length, const csimdjson_name *names, size_t count,
    csimdjson_value *values, const char **detail) {
    for (size_t i = 0; i < count; i++) values[i] = {nullptr, 0, CSIMDJSON_ABSENT};
    size_t start = 0;
    while (start < length && (json[start] == ' ' || json[start] == '\t' || json[start] == '\n' || json[start] == '\r')) start++;
    bool object = start < length && json[start] == '{';
    // On-demand has rules of its own for a lone scalar, so what is no object is checked inside an array's brackets.
    size_t total = 0;
    if (!parser->load(object ? "" : "[", json, length, object ? "" : "]", total)) return CSIMDJSON_OUT_OF_MEMORY;
    error_code error = object ? parser->object_members(total, names, count, values) : parser->single_value(total);
    if (error == MEMALLOC) return CSIMDJSON_OUT_OF_MEMORY;
    if (error == SUCCESS) return object ? CSIMDJSON_OBJECT : CSIMDJSON_NOT_AN_OBJECT;
    *detail = error == DEPTH_ERROR ? "it is nested more than 1,024 levels deep" : error_message(error);
    return CSIMDJSON_NOT_JSON;
}
