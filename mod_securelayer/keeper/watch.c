/* Watches directories, not files: a file that is replaced by rename is another one, but its name stays in its
 * directory. Used by reload_job in the keeper.
 *
 * Each path is walked from the root. Every step that would change its meaning is an interest: a name in a directory.
 * Symbolic links are walked as they are read, so each of them is an interest too. Interests of old walks stay; they
 * lead to a look too many, not to one too few. So do names with the same digest, which stand for each other.
 *
 * Of a hundred thousand files in one directory the way to it is walked for the first ones only: from then on everybody
 * is interested in its steps. */
#include "keeper/watch.h"

#include "base/bytes.h"
#include "base/file_stamp.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_tables.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/inotify.h>
#include <sys/vfs.h>
#endif

#define LINKS_MAX 40
#define SHARERS_MAX 64 /* items that share an interest; more of them are all */
#define EVERYBODY (-1)

typedef struct item_t {
    const char **paths; /* NULL ends them; NULL: there are none yet */
    int is_blind;
} item_t;

/* Somebody cares for one name in one directory. */
typedef struct interest_t {
    apr_uint64_t key; /* digest of both; 0: nobody does */
    int item;
} interest_t;

/* A directory in which files are watched. */
typedef struct known_t {
    const char *at; /* without links in it */
    int descriptor;
    int items, last; /* that have files in it; the last one of them */
    int is_remote;
} known_t;

struct sl_watch_t {
    apr_pool_t *pool;
    int fd;
    item_t *items;
    int count;
    interest_t *interests; /* by key, and behind one another where that place is taken */
    apr_size_t room, used; /* room: a power of two */
    apr_pool_t *known_pool;
    apr_hash_t *known; /* its path -> known_t */
};

static apr_status_t free_interests(void *watch)
{
    free(((sl_watch_t *)watch)->interests);
    return APR_SUCCESS;
}

sl_watch_t *sl_watch_make(apr_pool_t *pool, int items, int use_events)
{
    sl_watch_t *watch = apr_pcalloc(pool, sizeof(*watch));

    watch->pool = pool;
    watch->count = items;
    watch->items = apr_pcalloc(pool, sizeof(item_t) * (apr_size_t)(items + 1));
    apr_pool_create(&watch->known_pool, pool);
    watch->known = apr_hash_make(watch->known_pool);
    apr_pool_cleanup_register(pool, watch, free_interests, apr_pool_cleanup_null);
    watch->fd = -1;
#ifdef __linux__
    if (use_events)
        watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
#else
    (void)use_events;
#endif
    return watch;
}

int sl_watch_fd(const sl_watch_t *watch)
{
    return watch->fd;
}

int sl_watch_is_blind(const sl_watch_t *watch, int item)
{
    return watch->fd < 0 || watch->items[item].is_blind;
}

#ifdef __linux__

#define STEP (IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ONLYDIR | IN_MASK_ADD)
#define END (STEP | IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB)

static apr_uint64_t key_of(int descriptor, const char *name)
{
    apr_uint64_t key = sl_hash(sl_hash(SL_HASH_START, &descriptor, sizeof(descriptor)), name, strlen(name));

    return key ? key : 1;
}

static interest_t *first_of(const sl_watch_t *watch, apr_uint64_t key)
{
    return &watch->interests[(key ^ key >> 32) & (watch->room - 1)];
}

static interest_t *behind(const sl_watch_t *watch, interest_t *interest)
{
    return ++interest < watch->interests + watch->room ? interest : watch->interests;
}

static void put(sl_watch_t *watch, apr_uint64_t key, int item)
{
    interest_t *place = first_of(watch, key);

    while (place->key)
        place = behind(watch, place);
    place->key = key;
    place->item = item;
}

/* Half of the places stay free. 0: there is no memory. */
static int make_room(sl_watch_t *watch)
{
    apr_size_t old_room = watch->room, room = old_room ? old_room * 2 : 256;
    interest_t *old = watch->interests, *fresh;

    if (watch->used < old_room / 2)
        return 1;
    fresh = calloc(room, sizeof(*fresh));
    if (!fresh)
        return 0;
    watch->interests = fresh;
    watch->room = room;
    for (apr_size_t i = 0; i < old_room; i++) {
        if (old[i].key)
            put(watch, old[i].key, old[i].item);
    }
    free(old);
    return 1;
}

static void join(sl_watch_t *watch, apr_uint64_t key, int item)
{
    interest_t *first = NULL, *place;
    int sharers = 0;

    if (!make_room(watch)) {
        watch->items[item].is_blind = 1;
        return;
    }
    for (place = first_of(watch, key); place->key; place = behind(watch, place)) {
        if (place->key != key)
            continue;
        if (place->item == item || place->item == EVERYBODY)
            return;
        first = first ? first : place;
        sharers++;
    }
    if (sharers >= SHARERS_MAX) {
        first->item = EVERYBODY;
        return;
    }
    place->key = key;
    place->item = item;
    watch->used++;
}

/* Changes that other machines make there are not told here. */
static int is_remote(const char *directory)
{
    static const unsigned long kinds[] = {0x6969,     0x517B,     0xFF534D42, 0xFE534D42, 0x65735546,
                                          0x01021997, 0x5346414F, 0x00C36400, 0x0BD00BD0, 0x73757245};
    struct statfs info;

    if (statfs(directory, &info) != 0)
        return 0;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (((unsigned long)info.f_type & 0xffffffffUL) == kinds[i])
            return 1;
    }
    return 0;
}

/* The descriptor of the directory; -1: it can't be watched. */
static int care(sl_watch_t *watch, int item, const char *directory, const char *name, unsigned mask)
{
    int descriptor = inotify_add_watch(watch->fd, directory, mask);

    if (descriptor < 0) {
        if (errno != ENOENT && errno != ENOTDIR) /* the limit of the system, or no right: the clock has to do */
            watch->items[item].is_blind = 1;
        return -1;
    }
    join(watch, key_of(descriptor, name), item);
    return descriptor;
}

static void care_for_end(sl_watch_t *watch, int item, const char *directory, const char *name)
{
    if (care(watch, item, directory, name, END) >= 0 && is_remote(directory))
        watch->items[item].is_blind = 1;
}

typedef struct walk_t {
    char at[PATH_MAX];   /* where we are, without links in it; "" is the root */
    char left[PATH_MAX]; /* of the path */
    int links;
} walk_t;

/* Takes the next name off; 0 if there is none. */
static int next_name(walk_t *walk, char *name)
{
    size_t skip = strspn(walk->left, "/"), length = strcspn(walk->left + skip, "/");

    if (!length || length > NAME_MAX)
        return 0;
    memcpy(name, walk->left + skip, length);
    name[length] = '\0';
    memmove(walk->left, walk->left + skip + length, strlen(walk->left + skip + length) + 1);
    return 1;
}

static int go_through_link(walk_t *walk, const char *link)
{
    char target[PATH_MAX], all[2 * PATH_MAX];
    ssize_t length = readlink(link, target, sizeof(target) - 1);

    if (length <= 0 || ++walk->links > LINKS_MAX)
        return 0;
    target[length] = '\0';
    snprintf(all, sizeof(all), "%s/%s", target, walk->left);
    if (strlen(all) >= sizeof(walk->left))
        return 0;
    if (*target == '/')
        walk->at[0] = '\0';
    memcpy(walk->left, all, strlen(all) + 1);
    return 1;
}

/* One name further. 0: this is as far as it goes. */
static int step(sl_watch_t *watch, int item, walk_t *walk, const char *name)
{
    const char *directory = *walk->at ? walk->at : "/";
    char full[PATH_MAX + NAME_MAX + 2], *end = strrchr(walk->at, '/');
    int is_last = strspn(walk->left, "/") == strlen(walk->left);
    struct stat info;

    if (!strcmp(name, "."))
        return 1;
    if (!strcmp(name, "..")) {
        if (end)
            *end = '\0';
        return 1;
    }
    if (is_last)
        care_for_end(watch, item, directory, name);
    else
        (void)care(watch, item, directory, name, STEP);
    snprintf(full, sizeof(full), "%s/%s", walk->at, name);
    if (strlen(full) >= sizeof(walk->at) || lstat(full, &info) != 0)
        return 0;
    if (S_ISLNK(info.st_mode))
        return go_through_link(walk, full);
    memcpy(walk->at, full, strlen(full) + 1);
    if (is_last && S_ISDIR(info.st_mode))
        care_for_end(watch, item, walk->at, "");
    return 1;
}

static void go_on(sl_watch_t *watch, int item, walk_t *walk)
{
    char name[NAME_MAX + 1];

    while (next_name(walk, name) && step(watch, item, walk, name))
        continue;
}

static void follow(sl_watch_t *watch, int item, const char *path)
{
    walk_t walk;

    if (strlen(path) >= sizeof(walk.left))
        return;
    walk.at[0] = '\0';
    walk.links = 0;
    memcpy(walk.left, path, strlen(path) + 1);
    go_on(watch, item, &walk);
}

/* ---- files of a directory that is known ---- */

/* NULL unless the path's directory was walked so often that everybody cares for its steps. */
static const known_t *known_directory(sl_watch_t *watch, int item, const char *path, const char *end)
{
    known_t *known = apr_hash_get(watch->known, path, end - path);
    char real[PATH_MAX];

    if (!known) {
        known = apr_pcalloc(watch->known_pool, sizeof(*known));
        apr_hash_set(watch->known, apr_pstrmemdup(watch->known_pool, path, (apr_size_t)(end - path)), end - path,
                     known);
    }
    if (!known->items || known->last != item) {
        known->items++;
        known->last = item;
    }
    if (known->items <= SHARERS_MAX + 1)
        return NULL;
    if (!known->at) {
        const char *directory = apr_pstrmemdup(watch->known_pool, path, (apr_size_t)(end - path));

        known->at = realpath(directory, real) ? apr_pstrdup(watch->known_pool, real) : "";
        known->descriptor = *known->at ? inotify_add_watch(watch->fd, real, END) : -1;
        known->is_remote = *known->at && is_remote(real);
    }
    return known->descriptor < 0 ? NULL : known;
}

/* The last step of a walk whose others need not be made. Returns the file's stamp; 0: nobody looked at it. */
static apr_uint64_t follow_last(sl_watch_t *watch, int item, const known_t *known, const char *name)
{
    struct stat info;
    walk_t walk;
    int length = snprintf(walk.at, sizeof(walk.at), "%s/%s", known->at, name);

    join(watch, key_of(known->descriptor, name), item);
    if (known->is_remote)
        watch->items[item].is_blind = 1;
    if (length >= (int)sizeof(walk.at) || lstat(walk.at, &info) != 0)
        return 0;
    if (S_ISREG(info.st_mode))
        return sl_file_stamp(&info);
    memcpy(walk.at, known->at, strlen(known->at) + 1);
    memcpy(walk.left, name, strlen(name) + 1);
    walk.links = 0;
    go_on(watch, item, &walk);
    return 0;
}

static apr_uint64_t follow_new(sl_watch_t *watch, int item, const char *path)
{
    const char *end = strrchr(path, '/');
    const known_t *known = end && end != path && end[1] && strlen(path) < PATH_MAX && strlen(end) <= NAME_MAX
                               ? known_directory(watch, item, path, end)
                               : NULL;

    if (known && strcmp(end + 1, ".") && strcmp(end + 1, ".."))
        return follow_last(watch, item, known, end + 1);
    follow(watch, item, path);
    return 0;
}

/* Links may lead elsewhere now. */
static void forget_directories(sl_watch_t *watch)
{
    if (!apr_hash_count(watch->known))
        return;
    apr_pool_clear(watch->known_pool);
    watch->known = apr_hash_make(watch->known_pool);
}

static void tell_of(const sl_watch_t *watch, int descriptor, const char *name, sl_watch_tell_t tell, void *baton)
{
    apr_uint64_t key = key_of(descriptor, name);
    const interest_t *interest = watch->room ? first_of(watch, key) : NULL;

    for (; interest && interest->key; interest = behind(watch, (interest_t *)interest)) {
        if (interest->key == key)
            tell(baton, interest->item == EVERYBODY ? SL_WATCH_ALL : interest->item);
    }
}

static void see(const sl_watch_t *watch, const struct inotify_event *event, sl_watch_tell_t tell, void *baton)
{
    if (event->mask & (IN_Q_OVERFLOW | IN_IGNORED | IN_UNMOUNT)) {
        tell(baton, SL_WATCH_ALL);
        return;
    }
    if (event->len)
        tell_of(watch, event->wd, event->name, tell, baton);
    tell_of(watch, event->wd, "", tell, baton);
}

void sl_watch_read(sl_watch_t *watch, sl_watch_tell_t tell, void *baton)
{
    union {
        struct inotify_event event;
        char bytes[65536];
    } buffer;
    ssize_t length;

    while (watch->fd >= 0 && (length = read(watch->fd, buffer.bytes, sizeof(buffer.bytes))) > 0) {
        forget_directories(watch);
        for (ssize_t at = 0; at < length;) {
            struct inotify_event *event = (struct inotify_event *)(void *)(buffer.bytes + at);

            see(watch, event, tell, baton);
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
}

void sl_watch_follow(sl_watch_t *watch, int item)
{
    const char *const *paths = watch->items[item].paths;

    for (int i = 0; watch->fd >= 0 && paths && paths[i]; i++)
        follow(watch, item, paths[i]);
}

static apr_uint64_t follow_all_new(sl_watch_t *watch, int item)
{
    const char *const *paths = watch->items[item].paths;
    apr_uint64_t stamps = SL_FILE_STAMPS;
    int is_seen = watch->fd >= 0;

    for (int i = 0; watch->fd >= 0 && paths[i]; i++) {
        apr_uint64_t stamp = follow_new(watch, item, paths[i]);

        is_seen = is_seen && stamp;
        stamps = sl_file_stamp_add(stamps, stamp);
    }
    return is_seen ? stamps : 0;
}

#else

void sl_watch_read(sl_watch_t *watch, sl_watch_tell_t tell, void *baton)
{
    (void)watch;
    (void)tell;
    (void)baton;
}

void sl_watch_follow(sl_watch_t *watch, int item)
{
    (void)watch;
    (void)item;
}

static apr_uint64_t follow_all_new(sl_watch_t *watch, int item)
{
    (void)watch;
    (void)item;
    return 0;
}

#endif

apr_uint64_t sl_watch_add(sl_watch_t *watch, int item, const char *const *paths)
{
    int count = 0;

    while (count < SL_WATCH_PATHS && paths[count])
        count++;
    watch->items[item].paths = apr_pcalloc(watch->pool, sizeof(*paths) * ((apr_size_t)count + 1));
    memcpy(watch->items[item].paths, paths, sizeof(*paths) * (apr_size_t)count);
    return follow_all_new(watch, item);
}

/* ---- what files look like ---- */

/* In no order, for directories have none. */
static apr_uint64_t stamp_directory(const char *path)
{
    DIR *directory = opendir(path);
    apr_uint64_t sum = 0;
    struct dirent *entry;
    struct stat info;

    while (directory && (entry = readdir(directory)) != NULL) {
        apr_uint64_t stamp = sl_hash(SL_HASH_START, entry->d_name, strlen(entry->d_name));

        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (fstatat(dirfd(directory), entry->d_name, &info, 0) == 0)
            stamp = sl_file_stamp_add(stamp, sl_file_stamp(&info));
        sum += stamp;
    }
    if (directory)
        closedir(directory);
    return sum;
}

apr_uint64_t sl_watch_stamp(const char *const *paths)
{
    apr_uint64_t stamps = SL_FILE_STAMPS;
    struct stat info;

    for (int i = 0; i < SL_WATCH_PATHS && paths[i]; i++) {
        int is_there = stat(paths[i], &info) == 0;

        stamps = sl_file_stamp_add(stamps, sl_file_stamp(is_there ? &info : NULL));
        if (is_there && S_ISDIR(info.st_mode))
            stamps = sl_file_stamp_add(stamps, stamp_directory(paths[i]));
    }
    return stamps;
}
