/* Is a helper hung?  Asked by httpd/keeper_hooks in the parent. */
#include "keeper/patience.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int sl_patience_is_over(sl_patience_t *patience, apr_int64_t sign, apr_time_t ticks)
{
    apr_interval_time_t passed = patience->looked ? ticks - patience->looked : 0;

    patience->looked = ticks;
    if (sign != patience->sign) {
        patience->sign = sign;
        patience->silent = 0;
        return 0;
    }
    patience->silent += passed < SL_PATIENCE_STEP ? passed : SL_PATIENCE_STEP;
    if (patience->silent < SL_PATIENCE)
        return 0;
    patience->silent = 0;
    return 1;
}

int sl_process_is_traced(pid_t pid)
{
    static const char name[] = "\nTracerPid:";
    char text[2048];
    const char *found;
    ssize_t length;
    int descriptor;

    snprintf(text, sizeof(text), "/proc/%ld/status", (long)pid);
    descriptor = open(text, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return 0;
    length = read(descriptor, text, sizeof(text) - 1);
    close(descriptor);
    text[length > 0 ? length : 0] = '\0';
    found = strstr(text, name);
    return found && atol(found + sizeof(name) - 1) > 0;
}
