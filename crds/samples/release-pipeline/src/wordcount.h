/* Counts lines, words and bytes, as wc does, in pieces of any size. */
#ifndef WORDCOUNT_H
#define WORDCOUNT_H

#include <stddef.h>
#include <stdio.h>

struct wordcount {
  unsigned long lines;
  unsigned long words;
  unsigned long bytes;
  int in_word;
};

/* Starts a count at zero. */
void wordcount_init(struct wordcount* count);

/* Adds one piece of a text. A word may go on in the next piece. */
void wordcount_add(struct wordcount* count, const char* text, size_t length);

/* Adds all that is left of a stream. Returns 0, or -1 if it cannot be read. */
int wordcount_add_stream(struct wordcount* count, FILE* stream);

/* Adds another count to a total. */
void wordcount_sum(struct wordcount* total, const struct wordcount* count);

#endif
