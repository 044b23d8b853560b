/* Walks the tables of ringtrue/numbering/builder.py and text.py over Arrow strings: for each text what phonenumbers' parse(),
   format_number(), is_possible_number_with_reason(), is_valid_number(), number_type() and region_code_for_number() would answer.
   The tables decide; this file holds the order in which phonenumbers asks, and no country. Names of its functions are quoted where
   a step follows one. */
#include "kernel.h"

int tables_from(Tables *t, const Py_buffer *view)
{
    const uint8_t *base = view->buf;
    const uint32_t *head = view->buf;
    if (view->len < 4 * 21)
        return 0;
    const void **section[] = {(const void **)&t->pages, (const void **)&t->class_of, (const void **)&t->digit, (const void **)&t->key,
        (const void **)&t->ascii, (const void **)&t->viable_end, (const void **)&t->extension_end, (const void **)&t->flags,
        (const void **)&t->viable, (const void **)&t->extension, (const void **)&t->numbers, (const void **)&t->labels,
        (const void **)&t->prefixes, (const void **)&t->plan_of_code, (const void **)&t->plan_of_letters, (const void **)&t->outcomes,
        (const void **)&t->plans};
    for (size_t i = 0; i < sizeof section / sizeof *section; i++)
        *section[i] = base + head[i];
    t->classes = head[17];
    t->no_region = head[18];
    t->repeated = head[19];
    return head[20] == (uint32_t)view->len;
}

static uint32_t walk(const Tables *t, uint32_t state, Digits d)
{
    for (int i = 0; i < d.count; i++)
        state = t->numbers[state * 10 + d.at[i]];
    return state;
}

static int general(const Tables *t, const Plan *plan, Digits d, Walked *walked)
{
    if (d.count > MAX_DIGITS)
        return 0;
    *walked = (Walked){plan->general, walk(t, plan->general, d), d};
    return t->labels[walked->end] & 1;
}

static const Prefix *match(const Tables *t, uint32_t row, Digits d)
{
    for (int i = 0; i < d.count; i++) {
        row = t->prefixes[row * 11 + d.at[i]];
        if (row & TERMINAL)
            return &t->outcomes[row & ~TERMINAL];
    }
    return &t->outcomes[t->prefixes[row * 11 + 10] & ~TERMINAL];
}

static int length_result(const Plan *plan, Digits d)
{
    return plan->lengths[d.count > MAX_DIGITS ? MAX_DIGITS + 1 : d.count];
}

/* _maybe_strip_national_prefix_carrier_code */
static Digits without_prefix(const Tables *t, const Plan *plan, Digits d, uint8_t *room, Walked *walked)
{
    if (!d.count || plan->national == NONE)
        return d;
    const Prefix *m = match(t, plan->national, d);
    if (!m->matched)
        return d;
    Digits rest = {d.at + m->end, d.count - m->end};
    if (m->count) {
        for (int i = 0; i < m->count; i++)
            room[i] = m->rewrite[i] < 16 ? m->rewrite[i] : d.at[m->rewrite[i] - 16];
        memcpy(room + m->count, rest.at, rest.count);
        rest.at = room;
        rest.count += m->count;
    }
    return !general(t, plan, rest, walked) && general(t, plan, d, walked) ? d : rest;
}

/* _extract_country_code */
static const Plan *take_code(const Tables *t, Digits *d)
{
    uint32_t code = 0;
    if (!d->count || !d->at[0])
        return NULL;
    for (int i = 0; i < 3 && i < d->count; i++) {
        code = code * 10 + d->at[i];
        if (t->plan_of_code[code] != NONE) {
            d->at += i + 1;
            d->count -= i + 1;
            return &t->plans[t->plan_of_code[code]];
        }
    }
    return NULL;
}

/* _maybe_extract_country_code for a number without a plus; READ with no plan: a national number */
static int code_without_plus(const Tables *t, const Plan *home, Digits *d, const Plan **plan, uint8_t *room, Walked *walked)
{
    *plan = NULL;
    if (!home)
        return READ;
    const Prefix *m = home->idd == NONE ? t->outcomes : match(t, home->idd, *d);
    if (m->matched && !(d->count > m->end && !d->at[m->end])) {
        d->at += m->end;
        d->count -= m->end;
        if (d->count <= 2)
            return SHORT_AFTER_IDD;
        return (*plan = take_code(t, d)) ? READ : BAD_CODE;
    }
    if (d->count < home->width || memcmp(d->at, home->name, home->width))
        return READ;
    int too_long = length_result(home, *d) == LEN_LONG;
    if (too_long || !general(t, home, *d, walked)) {
        Digits rest = without_prefix(t, home, (Digits){d->at + home->width, d->count - home->width}, room, walked);
        if (too_long || general(t, home, rest, walked)) {
            *plan = &t->plans[t->plan_of_code[home->code]];
            *d = rest;
        }
    }
    return READ;
}

/* parse(), from the digits on */
int read_digits(const Tables *t, Reading *r, Digits all, int plus, const Plan *home)
{
    Digits d = all;
    const Plan *plan = NULL;
    r->walked.digits.count = -1;
    if (home && home->slow)
        return SLOW;
    if (plus) {
        if (d.count <= 2)
            return SHORT_AFTER_IDD;
        plan = take_code(t, &d);
    }
    if (!plan) {
        int outcome = code_without_plus(t, home, &d, &plan, r->room[1], &r->walked);
        if (outcome != READ)
            return outcome;
        if (!plan && plus)
            return BAD_CODE;
    }
    if (!plan)
        plan = home;
    if (plan->slow)
        return SLOW;
    if (d.count < 2)
        return SHORT_NSN;
    Digits stripped = without_prefix(t, plan, d, r->room[2], &r->walked);
    int length = length_result(plan, stripped);
    if (length != LEN_SHORT && length != LEN_LOCAL && length != LEN_INVALID)
        d = stripped;
    if (d.count < 2)
        return SHORT_NSN;
    if (d.count > MAX_DIGITS)
        return TOO_LONG;
    r->plan = &t->plans[t->plan_of_code[plan->code]];
    r->digits = d;
    const Walked *w = &r->walked;
    int again = w->start == r->plan->numbers && w->digits.at == d.at && w->digits.count == d.count;
    r->label = t->labels[again ? w->end : walk(t, r->plan->numbers, d)];
    return READ;
}

/* One code point; a broken sequence reads as U+FFFD, so that no byte is taken for a digit by accident. */
static uint32_t code_point(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *p = *at;
    uint32_t c = *p++;
    int more = c < 0x80 ? 0 : c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
    if (more) {
        c &= 0x3F >> more;
        if (end - p < more)
            more = (int)(end - p), c = 0xFFFD;
        while (more--)
            c = c << 6 | (*p++ & 0x3F);
    }
    *at = p;
    return c < BEYOND_BMP ? c : 0xFFFD;
}

/* parse() on any text: _extract_possible_number, _is_viable_phone_number, _maybe_strip_extension, _normalize */
static int read_text(const Tables *t, Reading *r, const uint8_t *text, const uint8_t *stop, const Plan *home)
{
    uint8_t kind[MAX_TEXT + 1];
    uint16_t state[MAX_TEXT + 2];
    const uint8_t *place[MAX_TEXT + 2];
    int count = 0, flags = 0, first = -1;
    r->blank = 1;
    for (const uint8_t *p = text; p < stop; count++) {
        if (count == MAX_TEXT)
            return r->blank = 0, TOO_LONG;
        place[count] = p;
        uint32_t c = code_point(&p, stop);
        kind[count] = t->class_of[t->pages[c >> 8] << 8 | (c & 255)];
        int flag = t->flags[kind[count]];
        flags |= flag;
        if (first < 0 && flag & START)
            first = count;
        r->blank &= flag / BLANK;
    }
    place[count] = stop;
    if (flags & SEMICOLON)
        for (const uint8_t *p = text; p < stop; p++)
            if (*p == ';' && ((stop - p >= 15 && !memcmp(p, ";phone-context=", 15)) || (stop - p >= 6 && !memcmp(p, ";isub=", 6))))
                return SLOW;
    if (first < 0)
        return NOT_A_NUMBER;
    while (count > first && t->flags[kind[count - 1]] & END)
        count--;
    if (flags & SLASH && flags & LOWER_X)
        for (int i = first; i < count; i++)
            if (t->flags[kind[i]] & SLASH) {
                int j = i + 1;
                while (j < count && t->flags[kind[j]] & SPACE)
                    j++;
                if (j < count && t->flags[kind[j]] & LOWER_X)
                    count = i;
            }
    state[first] = 1;
    for (int i = first; i < count; i++)
        if (!(state[i + 1] = t->viable[state[i] * t->classes + kind[i]]))
            return NOT_A_NUMBER;
    if (!t->viable_end[state[count]])
        return NOT_A_NUMBER;
    int plus = first;
    while (plus < count && t->flags[kind[plus]] & PLUS)
        plus++;
    if (!home && plus == first)
        return r->homeless = 1, BAD_CODE;
    int label = -1;
    for (uint32_t i = count, s = 1; i-- > (uint32_t)first && (s = t->extension[s * t->classes + kind[i]]);)
        if (t->extension_end[s])
            label = (int)i;
    if (label >= 0 && t->viable_end[state[label]]) {
        int last = count;
        while (t->digit[kind[last - 1]] > 9)
            last--;
        int begin = last;
        while (t->digit[kind[begin - 1]] <= 9)
            begin--;
        r->extension = place[begin];
        r->extension_bytes = (int)(place[last] - place[begin]);
        count = label;
    }
    int letters = 0, n = 0;
    for (int i = plus; i < count; i++)
        letters += (t->flags[kind[i]] & LETTER) != 0;
    const uint8_t *value = letters >= 3 ? t->key : t->digit;
    for (int i = plus; i < count; i++) {
        r->room[0][n] = value[kind[i]];
        n += value[kind[i]] <= 9;
    }
    return read_digits(t, r, (Digits){r->room[0], n}, plus > first, home);
}

static int read_any(const Tables *t, Reading *r, const uint8_t *text, const uint8_t *stop, const Plan *home)
{
    r->extension = NULL;
    r->extension_bytes = r->blank = r->homeless = 0;
    if (stop - text <= MAX_TEXT) {
        int flags = 0, n = 0, pluses = 0, before = 0;
        for (const uint8_t *p = text; p < stop; p++) {
            int flag = t->ascii[*p];
            flags |= flag;
            r->room[0][n] = *p & 15;
            before |= (flag & FAST_PLUS) && n;
            pluses += flag >> 1 & 1;
            n += flag & FAST_DIGIT;
        }
        if (!(flags & FAST_OTHER) && n > 2 && pluses < 2 && !before)
            return home || pluses ? read_digits(t, r, (Digits){r->room[0], n}, pluses, home) : (r->homeless = 1, BAD_CODE);
    }
    return read_text(t, r, text, stop, home);
}

void release(Py_buffer **held, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (held[i]->obj)
            PyBuffer_Release(held[i]);
}

PyObject *wrong_size(void)
{
    return PyErr_Format(PyExc_ValueError, "The tables or a buffer are of another size than the kernel was built for.");
}

int is_valid(const Reading *r)
{
    return (r->label >> 1 & 15) != UNKNOWN_TYPE;
}

int listed(const Tables *t, const Reading *r)
{
    const uint8_t *d = r->digits.at;
    int count = r->digits.count, same = count >= (int)t->repeated && d[0] == d[1] && d[0] == d[count - 1] && !memcmp(d, d + 1, count - 1);
    return same ? 1 : r->label >> 5 & 3;
}

/* read(tables, data, offsets, wide, validity, first, count, plans, codes, numbers, extensions, bits, reasons, slow) -> rows left out */
static PyObject *py_read(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer tables, data, offsets, validity = {0}, plans, codes, e164, ext, bits, reasons, slow;
    Py_ssize_t first, count;
    int wide;
    if (!PyArg_ParseTuple(args, "y*y*y*pz*nny*w*w*w*w*y*w*", &tables, &data, &offsets, &wide, &validity, &first, &count, &plans,
            &codes, &e164, &ext, &bits, &reasons, &slow))
        return NULL;
    Tables t;
    Py_ssize_t left = 0, stride = (count + 7) / 8;
    int ok = tables_from(&t, &tables) && reasons.len >= 16 && codes.len >= 6 * count && e164.len >= 4 * (count + 1) + 21 * count + 32
        && ext.len >= 4 * (count + 1) && bits.len >= 6 * stride && slow.len >= 4 * count && offsets.len >= (wide ? 8 : 4) * (first + count + 1)
        && plans.len >= 2 * count && (!validity.buf || validity.len * 8 >= first + count);
    Py_BEGIN_ALLOW_THREADS
    if (ok) {
        const uint8_t *bytes = data.buf, *known = validity.buf, *reason_of = reasons.buf;
        const int16_t *plan_of = plans.buf;
        int8_t *error = codes.buf, *possible = error + count, *type = possible + count, *reason = type + count;
        int16_t *region = (int16_t *)(reason + count);
        int32_t *number_at = e164.buf, *ext_at = ext.buf, *missing = slow.buf;
        uint8_t *number = (uint8_t *)(number_at + count + 1), *extension = (uint8_t *)(ext_at + count + 1), *bit = bits.buf;
        uint8_t *number_start = number, *ext_start = extension, *ext_end = (uint8_t *)ext.buf + ext.len;
        Reading r;
        memset(bit, 0, 6 * stride);
        for (Py_ssize_t i = 0; i < count; i++) {
            Py_ssize_t at = first + i;
            int64_t from = wide ? ((const int64_t *)offsets.buf)[at] : ((const int32_t *)offsets.buf)[at];
            int64_t to = wide ? ((const int64_t *)offsets.buf)[at + 1] : ((const int32_t *)offsets.buf)[at + 1];
            int plan = plan_of[i], outcome = NOT_A_NUMBER, mask = 1 << (i & 7);
            number_at[i] = (int32_t)(number - number_start);
            ext_at[i] = (int32_t)(extension - ext_start);
            r.blank = 1;
            r.homeless = r.extension_bytes = 0;
            if ((!known || known[at >> 3] >> (at & 7) & 1) && from < to && to <= data.len)
                outcome = read_any(&t, &r, bytes + from, bytes + to, plan < 0 ? NULL : t.plans + plan);
            error[i] = possible[i] = type[i] = 0;
            region[i] = 0;
            if (outcome == READ) {
                uint32_t where = r.label >> 7, kind = r.label >> 1 & 15, reaches_nobody = listed(&t, &r), valid = is_valid(&r);
                possible[i] = (int8_t)r.plan->lengths[r.digits.count];
                type[i] = (int8_t)kind;
                reason[i] = (int8_t)reason_of[valid ? 0 : 1 + possible[i]];
                if (reaches_nobody && reason_of[13 + reaches_nobody]) { /* 0, `ok`: the caller wants phonenumbers' answers as they are */
                    reason[i] = (int8_t)reason_of[13 + reaches_nobody];
                    valid = 0;
                }
                bit[i >> 3] |= mask;
                bit[2 * stride + (i >> 3)] |= valid ? mask : 0;
                if (where != t.no_region) {
                    region[i] = (int16_t)where;
                    bit[3 * stride + (i >> 3)] |= mask;
                }
                if (valid || possible[i] == POSSIBLE || !reason_of[14]) {
                    bit[5 * stride + (i >> 3)] |= mask;
                    *number++ = '+';
                    for (int k = 0; k < 4; k++)
                        number[k] = r.plan->name[k] | '0';
                    number += r.plan->width;
                    for (int k = 0; k < 3; k++) { /* 24 bytes at once; the rooms and the buffer have that much behind the end */
                        uint64_t eight;
                        memcpy(&eight, r.digits.at + 8 * k, 8);
                        eight |= 0x3030303030303030u;
                        memcpy(number + 8 * k, &eight, 8);
                    }
                    number += r.digits.count;
                }
                if (r.extension_bytes && ext_end - extension >= r.extension_bytes) {
                    memcpy(extension, r.extension, r.extension_bytes);
                    extension += r.extension_bytes;
                    bit[stride + (i >> 3)] |= mask;
                }
            } else if (outcome == SLOW) {
                reason[i] = 0;
                missing[left++] = (int32_t)i;
            } else {
                error[i] = (int8_t)outcome;
                reason[i] = (int8_t)reason_of[r.blank && outcome == NOT_A_NUMBER ? 12 : r.homeless ? 13 : 7 + outcome];
                bit[4 * stride + (i >> 3)] |= mask;
            }
        }
        number_at[count] = (int32_t)(number - number_start);
        ext_at[count] = (int32_t)(extension - ext_start);
    }
    Py_END_ALLOW_THREADS
    Py_buffer *held[] = {&tables, &data, &offsets, &validity, &plans, &codes, &e164, &ext, &bits, &reasons, &slow};
    release(held, sizeof held / sizeof *held);
    if (!ok)
        return wrong_size();
    return PyLong_FromSsize_t(left);
}

/* plans(tables, data, offsets, wide, validity, first, count, out): region codes, upper or lower case -> plans, -1 where unknown */
static PyObject *py_plans(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer tables, data, offsets, validity = {0}, out;
    Py_ssize_t first, count;
    int wide;
    if (!PyArg_ParseTuple(args, "y*y*y*pz*nnw*", &tables, &data, &offsets, &wide, &validity, &first, &count, &out))
        return NULL;
    Tables t;
    int ok = tables_from(&t, &tables) && out.len >= 2 * count && offsets.len >= (wide ? 8 : 4) * (first + count + 1);
    for (Py_ssize_t i = 0; ok && i < count; i++) {
        Py_ssize_t at = first + i;
        const uint8_t *known = validity.buf, *bytes = data.buf;
        int64_t from = wide ? ((const int64_t *)offsets.buf)[at] : ((const int32_t *)offsets.buf)[at];
        int64_t to = wide ? ((const int64_t *)offsets.buf)[at + 1] : ((const int32_t *)offsets.buf)[at + 1];
        int16_t plan = -1;
        if ((!known || known[at >> 3] >> (at & 7) & 1) && to - from == 2 && to <= data.len && bytes[from] >= 'A' && bytes[from + 1] >= 'A')
            plan = t.plan_of_letters[(bytes[from] & 31) << 5 | (bytes[from + 1] & 31)];
        ((int16_t *)out.buf)[i] = plan;
    }
    Py_buffer *held[] = {&tables, &data, &offsets, &validity, &out};
    release(held, sizeof held / sizeof *held);
    if (!ok)
        return wrong_size();
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"read", py_read, METH_VARARGS, "Read a batch of texts into the buffers given; returns how many rows phonenumbers has to read."},
    {"plans", py_plans, METH_VARARGS, "Turn a batch of region codes into plan numbers."},
    {"splice", py_splice, METH_VARARGS, "Replace rows of a column by those of another."},
    {"fill", py_fill, METH_VARARGS, "Write texts out of templates and the digits of fields."},
    {"mend", py_mend, METH_VARARGS, "Find other readings of digits that make no number; returns how many rows are left to Python."},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_kernel", "Tables walked over Arrow strings.", 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__kernel(void)
{
    return PyModule_Create(&module);
}
