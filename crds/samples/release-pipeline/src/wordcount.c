#include "wordcount.h"

#include <ctype.h>

void wordcount_init(struct wordcount *count) {
  count->lines = 0;
  count->words = 0;
  count->bytes = 0;
  count->in_word = 0;
}

static void add_character(struct wordcount *count, unsigned char character) {
  const int is_space = isspace(character);

  if (character == '\n') {
    count->lines++;
  }
  if (!is_space && !count->in_word) {
    count->words++;
  }
  count->in_word = !is_space;
}

void wordcount_add(struct wordcount *count, const char *text, size_t length) {
  size_t i;

  for (i = 0; i < length; i++) {
    add_character(count, (unsigned char)text[i]);
  }
  count->bytes += length;
}

int wordcount_add_stream(struct wordcount *count, FILE *stream) {
  char buffer[4096];
  size_t length;

  while ((length = fread(buffer, 1, sizeof buffer, stream)) > 0) {
    wordcount_add(count, buffer, length);
  }
  return ferror(stream) ? -1 : 0;
}

void wordcount_sum(struct wordcount *total, const struct wordcount *count) {
  total->lines += count->lines;
  total->words += count->words;
  total->bytes += count->bytes;
}
