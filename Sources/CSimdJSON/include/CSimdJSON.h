// A C face for simdjson: one JSON object is validated as a whole and some of its members are handed out.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct csimdjson_parser csimdjson_parser;

typedef enum : uint8_t {
    CSIMDJSON_ABSENT = 0,
    CSIMDJSON_NULL,
    CSIMDJSON_STRING,  // bytes: the string's UTF-8, unescaped
    CSIMDJSON_NUMBER,  // bytes: the number's characters as they were sent
    CSIMDJSON_OTHER,   // true, false, an array or an object
} csimdjson_kind;

typedef struct {
    const char *bytes;
    size_t length;
    csimdjson_kind kind;
} csimdjson_value;

// Needs no escape in JSON, and is shorter than SIMDJSON_PADDING: it is compared with text that may have no more behind it.
typedef struct {
    const char *bytes;
    size_t length;
} csimdjson_name;

typedef enum : uint8_t {
    CSIMDJSON_OBJECT = 0,
    CSIMDJSON_NOT_JSON,
    CSIMDJSON_NOT_AN_OBJECT,
    CSIMDJSON_OUT_OF_MEMORY,
} csimdjson_result;

// A parser serves one thread at a time. NULL: out of memory.
csimdjson_parser *csimdjson_parser_create(void);
void csimdjson_parser_free(csimdjson_parser *parser);

// Parses `json` (RFC 8259, nested at most 1,024 deep) and, if it is an object, sets values[i] to its member names[i]; of equal
// names the last one counts. The values point into the parser and are valid until its next call.
// `*detail`, when the answer is CSIMDJSON_NOT_JSON, is a constant string that says what is wrong.
csimdjson_result csimdjson_parse(
    csimdjson_parser *parser, const uint8_t *json, size_t length, const csimdjson_name *names, size_t count,
    csimdjson_value *values, const char **detail);

#ifdef __cplusplus
}
#endif
