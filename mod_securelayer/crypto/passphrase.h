/* How a pass phrase is asked for.
 *
 * Runs in: the process and thread that opens a file; may wait for whoever types. */
#ifndef SL_CRYPTO_PASSPHRASE_H
#define SL_CRYPTO_PASSPHRASE_H

/* Asks for the pass phrase of `object`; writes at most `size` bytes and returns their number, -1 if there is none.
 * It is asked again after a wrong phrase, until it returns -1 or gives the same phrase twice in a row. */
typedef int (*sl_pem_passphrase_t)(char *phrase, int size, const char *object, void *baton);

#endif
