/* Watches directories, not files: a file that is replaced by rename is another one, but its name stays in its
 * directory. Used by reload_job in the keeper.
 *
 * Each path is walked from the root. Every step that would change its meaning is an interest: a name in a directory.
 * Symbolic links are walked as they are read, so each of them is an interest too. Interests of old walks stay; they
 * lead to a look too many, not to one too few. */
#include "keeper/watch.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_tables.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/inotify.h>
#include <sys/vfs.h>
#endif

#define LINKS_MAX 40
#define SHARERS_MAX 64 /* items that share an interest; more of them are all */

typedef struct item_t {
    const char *paths[SL_WATCH_PATHS + 1];
    int is_blind;
} item_t;

/* Who cares for one name in one directory. */
typedef struct interest_t {
    int count; /* SHARERS_MAX + 1: everybody */
    int items[1]; /* the first one; others in `more` */
    int *more;
} interest_t;

struct sl_watch_t {
    apr_pool_t *pool;
    int fd;
    item_t *items;
    int count;
    apr_hash_t *interests; /* "descriptor/name" -> interest_t */
};

sl_watch_t *sl_watch_make(apr_pool_t *pool, int items, int use_events)
{
    sl_watch_t *watch = apr_pcalloc(pool, sizeof(*watch));

    watch->pool = pool;
    watch->count = items;
    watch->items = apr_pcalloc(pool, sizeof(item_t) * (apr_size_t)(items + 1));
    watch->interests = apr_hash_make(pool);
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

static int nth_sharer(const interest_t *interest, int n)
{
    return n ? interest->more[n - 1] : interest->items[0];
}

static void join(sl_watch_t *watch, interest_t *interest, int item)
{
    if (interest->count > SHARERS_MAX)
        return;
    for (int i = 0; i < interest->count; i++) {
        if (nth_sharer(interest, i) == item)
            return;
    }
    if (interest->count == 0)
        interest->items[0] = item;
    else if (interest->count < SHARERS_MAX) {
        if (!interest->more)
            interest->more = apr_palloc(watch->pool, sizeof(int) * (SHARERS_MAX - 1));
        interest->more[interest->count - 1] = item;
    }
    interest->count++;
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

static void care(sl_watch_t *watch, int item, const char *directory, const char *name, unsigned mask)
{
    int descriptor = inotify_add_watch(watch->fd, directory, mask);
    char key[32 + NAME_MAX];
    interest_t *interest;

    if (descriptor < 0) {
        if (errno != ENOENT && errno != ENOTDIR) /* the limit of the system, or no right: the clock has to do */
            watch->items[item].is_blind = 1;
        return;
    }
    if (mask == END && is_remote(directory))
        watch->items[item].is_blind = 1;
    snprintf(key, sizeof(key), "%d/%s", descriptor, name);
    interest = apr_hash_get(watch->interests, key, APR_HASH_KEY_STRING);
    if (!interest) {
        interest = apr_pcalloc(watch->pool, sizeof(*interest));
        apr_hash_set(watch->interests, apr_pstrdup(watch->pool, key), APR_HASH_KEY_STRING, interest);
    }
    join(watch, interest, item);
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
    care(watch, item, directory, name, is_last ? END : STEP);
    snprintf(full, sizeof(full), "%s/%s", walk->at, name);
    if (strlen(full) >= sizeof(walk->at) || lstat(full, &info) != 0)
        return 0;
    if (S_ISLNK(info.st_mode))
        return go_through_link(walk, full);
    memcpy(walk->at, full, strlen(full) + 1);
    if (is_last && S_ISDIR(info.st_mode))
        care(watch, item, walk->at, "", END);
    return 1;
}

static void follow(sl_watch_t *watch, int item, const char *path)
{
    walk_t walk;
    char name[NAME_MAX + 1];

    if (strlen(path) >= sizeof(walk.left))
        return;
    memset(&walk, 0, sizeof(walk));
    memcpy(walk.left, path, strlen(path) + 1);
    while (next_name(&walk, name) && step(watch, item, &walk, name))
        continue;
}

static void tell_of(sl_watch_t *watch, int descriptor, const char *name, sl_watch_tell_t tell, void *baton)
{
    char key[32 + NAME_MAX];
    const interest_t *interest;

    snprintf(key, sizeof(key), "%d/%s", descriptor, name);
    interest = apr_hash_get(watch->interests, key, APR_HASH_KEY_STRING);
    if (interest && interest->count > SHARERS_MAX)
        tell(baton, SL_WATCH_ALL);
    for (int i = 0; interest && interest->count <= SHARERS_MAX && i < interest->count; i++)
        tell(baton, nth_sharer(interest, i));
}

static void see(sl_watch_t *watch, const struct inotify_event *event, sl_watch_tell_t tell, void *baton)
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
        for (ssize_t at = 0; at < length;) {
            struct inotify_event *event = (struct inotify_event *)(void *)(buffer.bytes + at);

            see(watch, event, tell, baton);
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
}

void sl_watch_follow(sl_watch_t *watch, int item)
{
    for (int i = 0; watch->fd >= 0 && watch->items[item].paths[i]; i++)
        follow(watch, item, watch->items[item].paths[i]);
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

#endif

void sl_watch_add(sl_watch_t *watch, int item, const char *const *paths)
{
    for (int i = 0; i < SL_WATCH_PATHS && paths[i]; i++)
        watch->items[item].paths[i] = paths[i];
    sl_watch_follow(watch, item);
}

/* ---- what files look like ---- */

static apr_uint64_t mix(apr_uint64_t stamp, apr_uint64_t number)
{
    for (int i = 0; i < 8; i++)
        stamp = (stamp ^ ((number >> (8 * i)) & 0xff)) * 1099511628211u; /* FNV-1a */
    return stamp;
}

static apr_uint64_t mix_file(apr_uint64_t stamp, const struct stat *info)
{
    stamp = mix(stamp, (apr_uint64_t)info->st_dev);
    stamp = mix(stamp, (apr_uint64_t)info->st_ino);
    stamp = mix(stamp, (apr_uint64_t)info->st_size);
    stamp = mix(stamp, (apr_uint64_t)info->st_mtim.tv_sec);
    stamp = mix(stamp, (apr_uint64_t)info->st_mtim.tv_nsec);
    stamp = mix(stamp, (apr_uint64_t)info->st_ctim.tv_sec);
    return mix(stamp, (apr_uint64_t)info->st_ctim.tv_nsec);
}

/* In no order, for directories have none. */
static apr_uint64_t stamp_directory(const char *path)
{
    DIR *directory = opendir(path);
    apr_uint64_t sum = 0;
    struct dirent *entry;
    struct stat info;

    while (directory && (entry = readdir(directory)) != NULL) {
        apr_uint64_t stamp = 14695981039346656037u;

        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        for (const char *at = entry->d_name; *at; at++)
            stamp = (stamp ^ (unsigned char)*at) * 1099511628211u;
        if (fstatat(dirfd(directory), entry->d_name, &info, 0) == 0)
            stamp = mix_file(stamp, &info);
        sum += stamp;
    }
    if (directory)
        closedir(directory);
    return sum;
}

apr_uint64_t sl_watch_stamp(const char *const *paths)
{
    apr_uint64_t stamp = 14695981039346656037u;
    struct stat info;

    for (int i = 0; i < SL_WATCH_PATHS && paths[i]; i++) {
        if (stat(paths[i], &info) != 0) {
            stamp = mix(stamp, 1);
            continue;
        }
        stamp = mix_file(stamp, &info);
        if (S_ISDIR(info.st_mode))
            stamp = mix(stamp, stamp_directory(paths[i]));
    }
    return stamp;
}
