/* PEM text into blocks.  Called by pem.c, which knows what the blocks mean. */
#include "crypto/pem_block.h"

#include <openssl/crypto.h>
#include <string.h>

#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"

typedef struct line_t {
    const unsigned char *start, *end; /* without blanks around it */
} line_t;

static int is_blank(unsigned char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n' || byte == '\f' || byte == '\v';
}

static int next_line(sl_reader_t *text, line_t *line)
{
    const unsigned char *at = text->at;

    if (at == text->end)
        return 0;
    line->start = at;
    while (at < text->end && *at != '\n' && *at != '\r')
        at++;
    line->end = at;
    if (text->end - at >= 2 && at[0] == '\r' && at[1] == '\n')
        at++;
    text->at = at < text->end ? at + 1 : at;
    while (line->start < line->end && is_blank(*line->start))
        line->start++;
    while (line->end > line->start && is_blank(line->end[-1]))
        line->end--;
    return 1;
}

static int starts_with(const line_t *line, const char *what)
{
    apr_size_t length = strlen(what);

    return (apr_size_t)(line->end - line->start) >= length && memcmp(line->start, what, length) == 0;
}

/* What stands between the dashes of a BEGIN or END line; 0 if the line is not one. */
static int label_of(const line_t *line, const char *prefix, line_t *label)
{
    if (!starts_with(line, prefix) || line->end - line->start < (long)(strlen(prefix) + strlen(DASHES)) ||
        memcmp(line->end - strlen(DASHES), DASHES, strlen(DASHES)) != 0)
        return 0;
    label->start = line->start + strlen(prefix);
    label->end = line->end - strlen(DASHES);
    return 1;
}

static int is_label_byte(unsigned char byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || (byte && strchr(" #.-_/", byte));
}

/* Labels that nobody uses become "" and are then like any unknown one. */
static void copy_label(char *label, const line_t *from)
{
    apr_size_t length = (apr_size_t)(from->end - from->start);

    *label = '\0';
    if (length > SL_PEM_LABEL_MAX)
        return;
    for (apr_size_t i = 0; i < length; i++) {
        if (!is_label_byte(from->start[i]))
            return;
    }
    memcpy(label, from->start, length);
    label[length] = '\0';
}

int sl_pem_block_any(const unsigned char *text, apr_size_t length)
{
    sl_reader_t reader;
    line_t line, label;

    sl_reader_init(&reader, text, length);
    while (next_line(&reader, &line)) {
        if (label_of(&line, BEGIN, &label))
            return 1;
    }
    return 0;
}

/* Headers are the lines up to an empty one, if the first of them has a colon (base64 has none). */
static const unsigned char *skip_headers(const unsigned char *body, const unsigned char *end)
{
    sl_reader_t reader;
    line_t line;
    int first = 1;

    sl_reader_init(&reader, body, (apr_size_t)(end - body));
    while (next_line(&reader, &line)) {
        if (first && !memchr(line.start, ':', (apr_size_t)(line.end - line.start)))
            return body;
        first = 0;
        if (line.start == line.end)
            return reader.at;
    }
    return body;
}

static int decode_body(sl_pem_block_t *block, const unsigned char *body, const unsigned char *end, const char **damage)
{
    const unsigned char *data = skip_headers(body, end);

    block->headers = body;
    block->headers_length = (apr_size_t)(data - body);
    block->der_size = (apr_size_t)(end - data) / 4 * 3 + 3;
    block->der = OPENSSL_malloc(block->der_size);
    *damage = block->der ? "is damaged: it is not base64" : NULL;
    if (block->der && sl_base64_decode(block->der, &block->der_length, data, (apr_size_t)(end - data)))
        return 1;
    sl_pem_block_clear(block);
    return 0;
}

int sl_pem_block_next(sl_reader_t *text, sl_pem_block_t *block, const char **damage)
{
    const unsigned char *body;
    line_t line, label, end_label;

    memset(block, 0, sizeof(*block));
    do {
        if (!next_line(text, &line))
            return 0;
    } while (!label_of(&line, BEGIN, &label));
    block->start = line.start;
    copy_label(block->label, &label);
    body = text->at;
    *damage = "does not end";
    do {
        if (!next_line(text, &line) || starts_with(&line, BEGIN))
            return -1;
    } while (!starts_with(&line, END));
    if (!label_of(&line, END, &end_label) || end_label.end - end_label.start != label.end - label.start ||
        memcmp(label.start, end_label.start, (apr_size_t)(label.end - label.start)) != 0) {
        *damage = "ends with a line that does not match its BEGIN line";
        return -1;
    }
    return decode_body(block, body, line.start, damage) ? 1 : -1;
}

void sl_pem_block_clear(sl_pem_block_t *block)
{
    OPENSSL_clear_free(block->der, block->der_size);
    block->der = NULL;
    block->der_length = block->der_size = 0;
}

static int base64_value(unsigned char byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A';
    if (byte >= 'a' && byte <= 'z')
        return byte - 'a' + 26;
    if (byte >= '0' && byte <= '9')
        return byte - '0' + 52;
    return byte == '+' ? 62 : byte == '/' ? 63 : -1;
}

int sl_base64_decode(unsigned char *out, apr_size_t *out_length, const unsigned char *in, apr_size_t length)
{
    unsigned char *at = out;
    unsigned bits = 0;
    int digits = 0, padding = 0;

    for (apr_size_t i = 0; i < length; i++) {
        int value = base64_value(in[i]);

        if (is_blank(in[i]))
            continue;
        if (in[i] == '=') {
            padding++;
            continue;
        }
        if (value < 0 || padding)
            return 0;
        bits = bits << 6 | (unsigned)value;
        if (++digits % 4 == 0) {
            *at++ = (unsigned char)(bits >> 16);
            *at++ = (unsigned char)(bits >> 8);
            *at++ = (unsigned char)bits;
            bits = 0;
        }
    }
    if (padding > 2 || (digits + padding) % 4 != 0)
        return 0;
    if (padding)
        *at++ = (unsigned char)(bits >> (padding == 2 ? 4 : 10));
    if (padding == 1)
        *at++ = (unsigned char)(bits >> 2);
    *out_length = (apr_size_t)(at - out);
    return 1;
}
