/* Fuzz target: the server name of a client on its way to names of files. Whatever it is, nothing comes out of it that
 * leads to another place than one entry of the directory. */
#include "base/text.h"
#include "keeper/directory_names.h"
#include "must.h"

#include <string.h>

static void check_entry(const char *entry, int may_be_pattern)
{
    const char *name = may_be_pattern && !strncmp(entry, "*.", 2) ? entry + 2 : entry;

    MUST(strlen(entry) <= SL_HOST_MAX);
    MUST(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen(name));
    MUST(*name && *name != '.' && name[strlen(name) - 1] != '.' && !strstr(name, ".."));
    MUST(strncmp(entry, "_.", 2) != 0);
    MUST(!strchr(entry, '.') || strlen(entry) < 4 || strcmp(entry + strlen(entry) - 4, "-rsa") != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *names[SL_ENTRY_NAMES];
    char host[SL_HOST_MAX + 1], room[2 * SL_HOST_MAX];
    int count;

    if (!sl_text_host(host, data, size))
        return 0;
    count = sl_directory_names(names, room, host);
    MUST(count == 0 || count == 1 || count == SL_ENTRY_NAMES);
    for (int i = 0; i < count; i++)
        check_entry(names[i], i == 1);
    MUST(!count || !strcmp(names[0], host));
    return 0;
}
