/* From the name that a client asks for to the entries of a certificate directory that it stands for.
 *
 * An entry is what a file or directory there is called: "www.example.org", or "*.example.org" for one that is for all
 * names below. Nothing that a client sends gets further unless it is a name of the DNS, and no name leads to what
 * belongs to another one. Runs in: any process and thread. */
#ifndef SL_KEEPER_DIRECTORY_NAMES_H
#define SL_KEEPER_DIRECTORY_NAMES_H

#include "base/text.h"

#define SL_ENTRY_NAMES 3

/* The entries that `name` (lower case) stands for, the first one first: itself; all names below its parent; the parent.
 * `names` point into `room` (2 * SL_HOST_MAX bytes) or `name`. Returns how many: 0 if it is no name of the DNS, or one
 * that could be mistaken for a second directory of another name (below). */
int sl_directory_names(const char *names[SL_ENTRY_NAMES], char *room, const char *name);

/* May there be directories ENTRY-ecdsa and ENTRY-rsa for more key types of that entry? Not for one without a dot: "db"
 * and "db-rsa" may be two hosts. */
int sl_directory_has_twins(const char *entry);

#endif
