/* Prints one line for each check that fails, and at the end "passed=N failed=M". */
#include <stdio.h>
#include <string.h>

#include "wordcount.h"

static int passed;
static int failed;

static void expect(int line, const char *what, unsigned long expected, unsigned long actual) {
  if (expected == actual) {
    passed++;
    return;
  }
  failed++;
  fprintf(stderr, "line %d: %s: expected %lu, got %lu\n", line, what, expected, actual);
}

#define EXPECT(expected, actual) expect(__LINE__, #actual, (expected), (actual))

static struct wordcount count_text(const char *text) {
  struct wordcount count;

  wordcount_init(&count);
  wordcount_add(&count, text, strlen(text));
  return count;
}

static void test_empty_text(void) {
  const struct wordcount count = count_text("");

  EXPECT(0, count.lines);
  EXPECT(0, count.words);
  EXPECT(0, count.bytes);
}

static void test_words_and_lines(void) {
  const struct wordcount count = count_text("one two\n  three\tfour \n");

  EXPECT(2, count.lines);
  EXPECT(4, count.words);
  EXPECT(22, count.bytes);
}

static void test_last_line_without_newline(void) {
  const struct wordcount count = count_text("a\nb");

  EXPECT(1, count.lines);
  EXPECT(2, count.words);
}

static void test_only_spaces(void) {
  const struct wordcount count = count_text(" \t\n\v\f\r ");

  EXPECT(1, count.lines);
  EXPECT(0, count.words);
}

static void test_word_across_pieces(void) {
  struct wordcount count;

  wordcount_init(&count);
  wordcount_add(&count, "hel", 3);
  wordcount_add(&count, "lo wor", 6);
  wordcount_add(&count, "ld", 2);
  EXPECT(2, count.words);
  EXPECT(11, count.bytes);
}

static void test_bytes_that_are_no_text(void) {
  struct wordcount count;

  wordcount_init(&count);
  wordcount_add(&count, "\0\xff \x80", 4);
  EXPECT(2, count.words);
  EXPECT(4, count.bytes);
}

static void test_stream(void) {
  struct wordcount count;
  FILE *stream = tmpfile();
  int i;

  wordcount_init(&count);
  for (i = 0; i < 5000; i++) {
    fputs("word ", stream);
  }
  rewind(stream);
  EXPECT(0, (unsigned long)wordcount_add_stream(&count, stream));
  EXPECT(5000, count.words);
  EXPECT(25000, count.bytes);
  fclose(stream);
}

static void test_sum(void) {
  struct wordcount total = count_text("a b\n");
  const struct wordcount more = count_text("c\nd\n");

  wordcount_sum(&total, &more);
  EXPECT(3, total.lines);
  EXPECT(4, total.words);
  EXPECT(8, total.bytes);
}

int main(void) {
  test_empty_text();
  test_words_and_lines();
  test_last_line_without_newline();
  test_only_spaces();
  test_word_across_pieces();
  test_bytes_that_are_no_text();
  test_stream();
  test_sum();
  printf("passed=%d failed=%d\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
