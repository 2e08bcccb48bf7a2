/* Changes to what one side sends, from the bytes of an input: flight, two bytes of offset, bits to flip. */
#ifndef SL_T_EDITS_H
#define SL_T_EDITS_H

#include "memory_host.h"

#include <stdint.h>

typedef struct edits_t {
    const uint8_t *at, *end; /* four bytes each */
} edits_t;

static inline void edit_flight(const edits_t *edits, memory_wire_t *wire, int flight)
{
    for (const uint8_t *edit = edits->at; edits->end - edit >= 4; edit += 4) {
        if (edit[0] == flight)
            (void)memory_corrupt(wire, (apr_size_t)edit[1] << 8 | edit[2], edit[3]);
    }
}

#endif
