/* wordcount [FILE...]: lines, words and bytes of each file, or of standard input. */
#include <stdio.h>
#include <string.h>

#include "wordcount.h"

#ifndef WORDCOUNT_VERSION
#define WORDCOUNT_VERSION "development"
#endif

static void print_count(const struct wordcount *count, const char *name) {
  printf("%7lu %7lu %7lu %s\n", count->lines, count->words, count->bytes, name);
}

static int count_file(const char *name, struct wordcount *count) {
  FILE *stream = fopen(name, "rb");
  int result;

  if (stream == NULL) {
    perror(name);
    return -1;
  }
  result = wordcount_add_stream(count, stream);
  if (result != 0) {
    perror(name);
  }
  fclose(stream);
  return result;
}

static int count_files(int number, char **names) {
  struct wordcount total;
  int failures = 0;
  int i;

  wordcount_init(&total);
  for (i = 0; i < number; i++) {
    struct wordcount count;

    wordcount_init(&count);
    if (count_file(names[i], &count) != 0) {
      failures++;
      continue;
    }
    print_count(&count, names[i]);
    wordcount_sum(&total, &count);
  }
  if (number > 1) {
    print_count(&total, "total");
  }
  return failures == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
  struct wordcount count;

  if (argc == 2 && strcmp(argv[1], "--version") == 0) {
    puts("wordcount " WORDCOUNT_VERSION);
    return 0;
  }
  if (argc > 1) {
    return count_files(argc - 1, argv + 1);
  }
  wordcount_init(&count);
  if (wordcount_add_stream(&count, stdin) != 0) {
    perror("standard input");
    return 1;
  }
  print_count(&count, "");
  return 0;
}
