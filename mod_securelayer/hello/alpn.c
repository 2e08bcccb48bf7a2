/* ALPN lists as names. conn/ asks for the array when it lets httpd's protocol hooks choose; the text is for the line
 * that a failed handshake leaves. */
#include "hello/alpn.h"

#include "base/text.h"

#include <apr_strings.h>
#include <string.h>

#define MOST_NAMES_SHOWN 16
#define MOST_SHOWN 32 /* bytes of one name */

static int is_well_formed(const void *list, apr_size_t length)
{
    sl_reader_t names, name;

    if (!length)
        return 0;
    sl_reader_init(&names, list, length);
    while (sl_reader_left(&names)) {
        sl_reader_vector(&names, 1, &name);
        if (!sl_reader_left(&name)) /* also when its length points past the end */
            return 0;
    }
    return 1;
}

apr_array_header_t *sl_alpn_names(apr_pool_t *pool, const void *list, apr_size_t length)
{
    apr_array_header_t *all;
    sl_reader_t names, name;

    if (!is_well_formed(list, length))
        return NULL;
    all = apr_array_make(pool, 4, sizeof(const char *));
    sl_reader_init(&names, list, length);
    while (sl_reader_left(&names)) {
        sl_reader_vector(&names, 1, &name);
        if (!memchr(name.at, '\0', sl_reader_left(&name)))
            APR_ARRAY_PUSH(all, const char *) = apr_pstrmemdup(pool, (const char *)name.at, sl_reader_left(&name));
    }
    return all;
}

const char *sl_alpn_text(apr_pool_t *pool, const void *list, apr_size_t length)
{
    apr_array_header_t *shown;
    sl_reader_t names, name;

    if (!is_well_formed(list, length))
        return "-";
    shown = apr_array_make(pool, 4, sizeof(const char *));
    sl_reader_init(&names, list, length);
    while (sl_reader_left(&names) && shown->nelts < MOST_NAMES_SHOWN) {
        sl_reader_vector(&names, 1, &name);
        APR_ARRAY_PUSH(shown, const char *) = sl_text_escape(pool, name.at, sl_reader_left(&name), MOST_SHOWN);
    }
    if (sl_reader_left(&names))
        APR_ARRAY_PUSH(shown, const char *) = "...";
    return apr_array_pstrcat(pool, shown, ',');
}
