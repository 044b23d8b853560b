/* Other readings of digits that make no number as they stand, in the order of preference of ringtrue/repair_digits.py, which is the
   definition and reads the rows where the kernel is not built. A reading counts only if it makes a valid number. */
#include "kernel.h"

enum { WIDTH = 24, LEAST = 7, MOST = 20, AREA_CODE = 5, SWAPPED = 8, SURPLUS = 4, CERTAIN = 12 };
enum { FOREIGN_PREFIX, DOUBLED_CODE, TRUNK_ZERO, DOUBLED_AREA, OLD_PREFIX, MISSING_PLUS, WRONG_REGION, LOST_ZERO, STRAY_PLUS, TRANSPOSED, PLACEHOLDER };
enum { NOTHING = -1, LEFT = -2 };
enum { VALID = 1, LISTED = 2 };

typedef struct {
    uint16_t code;
    uint8_t plus, count, digits[12];
} OldPrefix;

typedef struct { /* one number that makes no sense as it stands */
    const Tables *t;
    const Plan *home;
    const uint8_t *zeros;
    const OldPrefix *old;
    int olds;
    int plus, count, first_group, width, code, home_code;
    uint8_t at[WIDTH + 8];
    int slow, reason, sure, found_plus, found_count;
    uint8_t found[WIDTH + 8];
} Broken;

static int code_width(const Tables *t, const uint8_t *at, int count, int *code)
{
    *code = 0;
    for (int i = 0; i < 3 && i < count && at[0]; i++) {
        *code = *code * 10 + at[i];
        if (t->plan_of_code[*code] != NONE)
            return i + 1;
    }
    return *code = 0;
}

/* What a head and the digits from `skip` to `stop` make: a valid number, one that is listed, both or neither. */
static int reads(Broken *b, int plus, const uint8_t *head, int size, int skip, int stop)
{
    Reading r;
    int count = size + stop - skip;
    memcpy(r.room[0], head, size);
    memcpy(r.room[0] + size, b->at + skip, stop - skip);
    if (count < 2 || (!plus && !b->home))
        return 0;
    int outcome = read_digits(b->t, &r, (Digits){r.room[0], count}, plus, b->home);
    b->slow |= outcome == SLOW;
    return outcome != READ ? 0 : (listed(b->t, &r) ? LISTED : 0) | (is_valid(&r) ? VALID : 0);
}

static int accept(Broken *b, int reason, int sure, int plus, const uint8_t *head, int size, int skip)
{
    if (skip >= b->count)
        return 0;
    int found = reads(b, plus, head, size, skip, b->count);
    if (!(found & LISTED ? sure : found))
        return 0;
    b->reason = reason;
    b->sure = sure;
    b->found_plus = plus;
    b->found_count = size + b->count - skip;
    memcpy(b->found, head, size);
    memcpy(b->found + size, b->at + skip, b->count - skip);
    return 1;
}

static int same(const Broken *b, int first, int second, int count)
{
    for (int i = 0; i < count; i++)
        if (b->at[first + i] != b->at[second + i])
            return 0;
    return 1;
}

static int surely(Broken *b)
{
    const uint8_t *d = b->at;
    int w = b->width, skip = 0, home = b->home_code, zero = d[0] == 0 && b->count > 0;
    if (d[0] == 0 && d[1] == 0 && d[2] == 1 && d[3] == 1)
        skip = 4;
    else if (d[0] == 0 && d[1] == 1 && d[2] == 1)
        skip = 3;
    else if (d[0] == 0 && d[1] == 0)
        skip = 2;
    if (skip && d[skip] != 0 && accept(b, FOREIGN_PREFIX, 1, 1, d, 0, skip))
        return 1;
    if (w && same(b, 0, w, w) && accept(b, DOUBLED_CODE, 1, 1, d, 0, w))
        return 1;
    if (w && d[w] == 0 && d[w + 1] == 0 && same(b, 0, w + 2, w) && accept(b, DOUBLED_CODE, 1, 1, d, 0, w + 2))
        return 1;
    if (b->plus && w && d[w] == 0 && accept(b, TRUNK_ZERO, 1, 1, d, w, w + 1))
        return 1;
    if (!b->plus && zero && home > 1 && accept(b, TRUNK_ZERO, 1, 0, d, 0, 1))
        return 1;
    int group = b->first_group;
    if (!b->plus && zero && group > 1 && group <= AREA_CODE && d[group] == 0 && same(b, 0, group, group)
        && accept(b, DOUBLED_AREA, 1, 0, d, 0, group))
        return 1;
    for (int i = 0; i < b->olds; i++) {
        const OldPrefix *o = b->old + i;
        int skips = b->plus ? w : 0;
        if (o->plus == b->plus && o->code == (b->plus ? b->code : home) && !memcmp(d + skips, o->digits, o->count)
            && accept(b, OLD_PREFIX, 1, b->plus, d, skips, skips + o->count))
            return 1;
    }
    return !b->plus && w && accept(b, MISSING_PLUS, 1, 1, d, 0, 0);
}

static int perhaps(Broken *b)
{
    const uint8_t *d = b->at;
    int zero = d[0] == 0, group = b->first_group, home = b->home_code;
    uint8_t head[4];
    if (!b->plus && zero && home == 1 && accept(b, TRUNK_ZERO, 0, 0, d, 0, 1))
        return 1;
    if (!b->plus && zero && group > 1 && group <= AREA_CODE && d[group] == 0 && accept(b, DOUBLED_AREA, 0, 0, d, 0, group))
        return 1;
    memcpy(head, d, b->width);
    head[b->width] = 0;
    if (b->plus && b->zeros[b->code] && accept(b, LOST_ZERO, 0, 1, head, b->width + 1, b->width))
        return 1;
    if (b->plus && home && accept(b, STRAY_PLUS, 0, 0, d, 0, 0))
        return 1;
    const uint8_t orders[4][3] = {{d[1], d[0], d[2]}, {d[0], d[2], d[1]}, {d[0], d[1] == d[2] ? d[0] : 0, d[2]}, {d[0], d[0] == d[1] ? d[2] : 0, d[2]}};
    for (int i = 0; i < 4 && b->count > SWAPPED; i++) {
        int code;
        if (code_width(b->t, orders[i], 3, &code) > 1 && (b->plus || code == home) && accept(b, TRANSPOSED, 0, 1, orders[i], 3, 3))
            return 1;
    }
    return !b->plus && !zero && b->zeros[home] && accept(b, LOST_ZERO, 0, 0, (const uint8_t[]){0}, 1, 0);
}

/* _shows_its_country */
static int shows_its_country(Broken *b)
{
    int fits = 0;
    for (int by = 1; by <= SURPLUS; by++)
        fits |= (reads(b, 0, b->at, 0, 0, b->count - by) & VALID) << by;
    int grouped = b->first_group == b->width && (b->width == 2 || !fits);
    return grouped || (b->first_group == b->count && !(fits & 2) && (b->home_code || b->count >= CERTAIN));
}

/* is_filler */
static int is_filler(const Broken *b)
{
    static const struct { int step, least, digits; } kinds[] = {{0, 4, 0x3FF}, {1, 5, 3}, {9, 5, 0x201}};
    for (int k = 0; k < 3; k++) {
        int begin = b->count ? b->count - 1 : 0, step = kinds[k].step;
        while (begin && (b->at[begin] + 10 - b->at[begin - 1]) % 10 == step)
            begin--;
        int others = b->plus ? b->width : step ? 0 : begin;
        if (((!begin && b->count >= kinds[k].least) || (begin <= 3 && b->count - begin >= 7 && begin == others)) && kinds[k].digits >> b->at[begin] & 1)
            return 1;
    }
    return 0;
}

static int mend(Broken *b)
{
    int usual = b->count >= LEAST && b->count <= MOST;
    b->slow = 0;
    if (usual && surely(b)) {
        if (b->reason == MISSING_PLUS) {
            b->sure = shows_its_country(b);
            if (b->home_code && b->first_group != b->width)
                b->reason = WRONG_REGION;
        }
    } else if (is_filler(b)) {
        b->reason = PLACEHOLDER;
        b->sure = 1;
        b->found_count = b->found_plus = 0;
    } else if (!usual || !perhaps(b))
        return b->slow ? LEFT : NOTHING;
    return b->slow ? LEFT : b->reason;
}

/* mend(tables, data, offsets, first, count, plans, first_group, old, zeros, reasons, sure, out, out_text) -> bytes of text: for texts of a plus and
   digits the reading found, empty where there is none; in `reasons` which (see the enum), -1 for none, -2 where Python has to look. */
PyObject *py_mend(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer tables, data, offsets, plans, groups, old, zeros, reasons, sure, out, out_text;
    Py_ssize_t first, count;
    if (!PyArg_ParseTuple(args, "y*y*y*nny*y*y*y*w*w*w*w*", &tables, &data, &offsets, &first, &count, &plans, &groups, &old, &zeros,
            &reasons, &sure, &out, &out_text))
        return NULL;
    Tables t;
    int ok = tables_from(&t, &tables) && offsets.len >= 4 * (first + count + 1) && plans.len >= 2 * count && groups.len >= 8 * count
        && zeros.len >= 1000 && reasons.len >= count && sure.len >= count && out.len >= 4 * (count + 1) && out_text.len >= (WIDTH + 1) * count;
    const int32_t *place = (const int32_t *)offsets.buf + first;
    uint8_t *text = out_text.buf;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; ok && i < count; i++) {
        const uint8_t *from = (const uint8_t *)data.buf + place[i];
        int size = place[i + 1] - place[i], plan = ((const int16_t *)plans.buf)[i];
        Broken b = {.t = &t, .home = plan < 0 ? NULL : t.plans + plan, .zeros = zeros.buf, .old = old.buf, .olds = (int)(old.len / sizeof(OldPrefix))};
        ok = place[i] >= 0 && size >= 0 && place[i + 1] <= data.len;
        if (!ok)
            break;
        b.plus = size && *from == '+';
        b.count = size - b.plus < WIDTH ? size - b.plus : WIDTH;
        memset(b.at, 0x7F, sizeof b.at);
        for (int k = 0; k < b.count; k++)
            b.at[k] = from[b.plus + k] & 15;
        b.width = b.count < 3 ? 0 : code_width(&t, b.at, b.count, &b.code);
        b.home_code = b.home ? b.home->code : 0;
        b.first_group = (int)((const int64_t *)groups.buf)[i];
        int reason = mend(&b);
        ((int8_t *)reasons.buf)[i] = (int8_t)reason;
        ((uint8_t *)sure.buf)[i] = (uint8_t)b.sure;
        ((int32_t *)out.buf)[i] = (int32_t)(text - (uint8_t *)out_text.buf);
        if (reason >= 0 && reason != PLACEHOLDER) {
            *text = '+';
            text += b.found_plus;
            for (int k = 0; k < b.found_count; k++)
                *text++ = b.found[k] | '0';
        }
    }
    Py_END_ALLOW_THREADS
    if (ok)
        ((int32_t *)out.buf)[count] = (int32_t)(text - (uint8_t *)out_text.buf);
    Py_ssize_t used = text - (uint8_t *)out_text.buf;
    Py_buffer *held[] = {&tables, &data, &offsets, &plans, &groups, &old, &zeros, &reasons, &sure, &out, &out_text};
    release(held, sizeof held / sizeof *held);
    return ok ? PyLong_FromSsize_t(used) : wrong_size();
}
