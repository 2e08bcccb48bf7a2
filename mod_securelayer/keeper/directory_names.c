/* Names and entries.  Used by children (keeper/directory) and the keeper (directory_answer, directory_files). */
#include "keeper/directory_names.h"

#include <string.h>

static int ends_in(const char *name, const char *end)
{
    apr_size_t length = strlen(name), tail = strlen(end);

    return length > tail && !strcmp(name + length - tail, end);
}

int sl_directory_has_twins(const char *entry)
{
    return strchr(entry, '.') != NULL;
}

int sl_directory_names(const char *names[SL_ENTRY_NAMES], char *room, const char *name)
{
    const char *parent;

    /* "_.example.org" is what the file for all names below is called, "example.org-rsa" the second directory of
     * example.org; no top-level domain is called so. */
    if (!sl_text_is_dns_name(name) || !strncmp(name, "_.", 2) || strstr(name, "._.") ||
        (sl_directory_has_twins(name) && (ends_in(name, "-ecdsa") || ends_in(name, "-rsa"))))
        return 0;
    names[0] = name;
    parent = strchr(name, '.');
    if (!parent || !strchr(parent + 1, '.')) /* no certificate is for all names of a top-level domain */
        return 1;
    room[0] = '*';
    memcpy(room + 1, parent, strlen(parent) + 1);
    names[1] = room;
    names[2] = parent + 1;
    return 3;
}
