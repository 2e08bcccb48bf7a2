/* SHA-256 as FIPS 180-4 section 6.2 writes it down, one call per message.  JA4 is its only caller: apr-util has MD5
 * and SHA-1 alone, and hello/ may not include OpenSSL. */
#include "base/sha256.h"

#include <string.h>

#define BLOCK 64
#define LENGTH_FIELD 8

/* Section 4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const apr_uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static apr_uint32_t rotate(apr_uint32_t word, int bits)
{
    return word >> bits | word << (32 - bits);
}

static void expand(apr_uint32_t schedule[64], const unsigned char *block)
{
    for (int i = 0; i < 16; i++, block += 4)
        schedule[i] = (apr_uint32_t)block[0] << 24 | (apr_uint32_t)block[1] << 16 | (apr_uint32_t)block[2] << 8 |
                      (apr_uint32_t)block[3];
    for (int i = 16; i < 64; i++) {
        apr_uint32_t early = schedule[i - 15], late = schedule[i - 2];

        schedule[i] = schedule[i - 16] + (rotate(early, 7) ^ rotate(early, 18) ^ early >> 3) + schedule[i - 7] +
                      (rotate(late, 17) ^ rotate(late, 19) ^ late >> 10);
    }
}

static void add_block(apr_uint32_t hash[8], const unsigned char *block)
{
    apr_uint32_t schedule[64], v[8]; /* v: the working variables a to h */

    expand(schedule, block);
    memcpy(v, hash, sizeof(v));
    for (int i = 0; i < 64; i++) {
        apr_uint32_t e = v[4], a = v[0];
        apr_uint32_t t1 = v[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & v[5]) ^ (~e & v[6])) +
                          round_constants[i] + schedule[i];
        apr_uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));

        memmove(v + 1, v, 7 * sizeof(*v));
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        hash[i] += v[i];
}

/* Section 5.1.1: the bytes left over, a 1 bit, zeros, and the message's length in bits. */
static void add_end(apr_uint32_t hash[8], const unsigned char *rest, apr_size_t left, apr_size_t length)
{
    unsigned char end[2 * BLOCK] = {0};
    apr_size_t size = left < BLOCK - LENGTH_FIELD ? BLOCK : 2 * BLOCK;
    apr_uint64_t bits = (apr_uint64_t)length * 8;

    if (left)
        memcpy(end, rest, left);
    end[left] = 0x80;
    for (int i = 1; i <= LENGTH_FIELD; i++, bits >>= 8)
        end[size - i] = (unsigned char)bits;
    for (apr_size_t i = 0; i < size; i += BLOCK)
        add_block(hash, end + i);
}

void sl_sha256(unsigned char digest[SL_SHA256_SIZE], const void *bytes, apr_size_t length)
{
    /* Section 5.3.3: from the square roots of the first eight primes. */
    apr_uint32_t hash[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                            0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const unsigned char *at = bytes;
    apr_size_t left = length;

    for (; left >= BLOCK; left -= BLOCK, at += BLOCK)
        add_block(hash, at);
    add_end(hash, at, left, length);
    for (int i = 0; i < SL_SHA256_SIZE; i++)
        digest[i] = (unsigned char)(hash[i / 4] >> (24 - i % 4 * 8));
}
