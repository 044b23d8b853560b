/* What the files of the kernel share: the tables, and how digits are read. */
#ifndef RINGTRUE_KERNEL_H
#define RINGTRUE_KERNEL_H
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdint.h>
#include <string.h>

enum { MAX_TEXT = 250, MAX_DIGITS = 17, NONE = 0xFFFF, TERMINAL = 0x8000, BEYOND_BMP = 0x110000 };
enum { START = 1, END = 2, PLUS = 4, SLASH = 8, SPACE = 16, LOWER_X = 32, LETTER = 64, SEMICOLON = 128, BLANK = 256 };
enum { FAST_DIGIT = 1, FAST_PLUS = 2, FAST_OTHER = 4 };
enum { BAD_CODE, NOT_A_NUMBER, SHORT_AFTER_IDD, SHORT_NSN, TOO_LONG, READ, SLOW }; /* the first five as in phonenumbers */
enum { POSSIBLE, POSSIBLE_BAD_CODE, LEN_SHORT, LEN_LONG, LEN_LOCAL, LEN_INVALID };
enum { UNKNOWN_TYPE = 11 };

typedef struct {
    uint16_t code, numbers, general, national, idd;
    uint8_t slow, width, name[4], lengths[24];
} Plan;
typedef struct {
    uint8_t matched, end, count, rewrite[29];
} Prefix;
typedef struct { /* sections of the file, in the order of tables.py */
    const uint8_t *pages, *class_of, *digit, *key, *ascii, *viable_end, *extension_end;
    const uint16_t *flags, *viable, *extension, *numbers, *labels, *prefixes, *plan_of_code;
    const int16_t *plan_of_letters;
    const Prefix *outcomes;
    const Plan *plans;
    uint32_t classes, no_region, repeated;
} Tables;
typedef struct {
    const uint8_t *at;
    int count;
} Digits;
typedef struct { /* the last walk, which is often the next one too */
    uint32_t start, end;
    Digits digits;
} Walked;
typedef struct {
    Digits digits;
    Walked walked;
    const Plan *plan;
    uint32_t label;
    int outcome, blank, homeless;
    const uint8_t *extension;
    int extension_bytes;
    uint8_t room[3][MAX_TEXT + 80];
} Reading;

int tables_from(Tables *t, const Py_buffer *view);
int read_digits(const Tables *t, Reading *r, Digits all, int plus, const Plan *home);
/* Valid to phonenumbers; and whether nobody can be reached on it (1 a placeholder, 2 a fiction range). */
int is_valid(const Reading *r);
int listed(const Tables *t, const Reading *r);

void release(Py_buffer **held, size_t count);
PyObject *wrong_size(void);

PyObject *py_splice(PyObject *self, PyObject *args);
PyObject *py_fill(PyObject *self, PyObject *args);
PyObject *py_mend(PyObject *self, PyObject *args);
#endif
