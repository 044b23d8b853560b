/* Arrow columns put together from parts: rows of one batch replaced by rows of another, and texts filled in from templates. */
#include "kernel.h"

static int64_t offset_at(const Py_buffer *offsets, int wide, int64_t at)
{
    return wide ? ((const int64_t *)offsets->buf)[at] : ((const int32_t *)offsets->buf)[at];
}

/* Up to 56 bits at once; the target has eight bytes behind its end, the source may have none. */
static inline void copy_bits(uint8_t *to, int64_t at, const Py_buffer *source, int64_t from, int64_t count)
{
    while (count > 0) {
        int step = count < 56 ? (int)count : 56;
        int64_t byte = from >> 3, left = source->len - byte;
        uint64_t bits = 0, there;
        if (left >= 8)
            memcpy(&bits, (const uint8_t *)source->buf + byte, 8);
        else
            memcpy(&bits, (const uint8_t *)source->buf + byte, left);
        bits = bits >> (from & 7) & (((uint64_t)1 << step) - 1);
        memcpy(&there, to + (at >> 3), 8);
        there |= bits << (at & 7);
        memcpy(to + (at >> 3), &there, 8);
        at += step, from += step, count -= step;
    }
}

/* Most runs are short: sixteen bytes at once are faster than a call, where both buffers have that many. */
static inline void copy_bytes(uint8_t *to, const uint8_t *limit, const uint8_t *from, const uint8_t *stop, int64_t size)
{
    if (size <= 16 && limit - to >= 16 && stop - from >= 16)
        memcpy(to, from, 16);
    else
        memcpy(to, from, size);
}

static uint8_t *copy_texts(int32_t *ends, uint8_t *to, const uint8_t *start, const Py_buffer *offsets, const Py_buffer *text, int64_t from, int64_t count)
{
    const int32_t *old = (const int32_t *)offsets->buf + from;
    int32_t size = old[count] - old[0], shift = (int32_t)(to - start) - old[0];
    for (int64_t i = 0; i < count; i++)
        ends[i] = old[i + 1] + shift;
    if (size)
        memcpy(to, (const uint8_t *)text->buf + old[0], size);
    return to + size;
}

/* splice(width, old, old_text, new, new_text, starts, ends, out, out_text) -> bytes of text: rows starts[j] to ends[j] of the old column, then
   row j of the new one, and so on; the last run has no new row behind it. A width of 0 means bits, one of -1 texts with offsets of 32 bits. */
PyObject *py_splice(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer old, old_text, new, new_text, starts, ends, out, out_text;
    int width;
    if (!PyArg_ParseTuple(args, "iy*y*y*y*y*y*w*w*", &width, &old, &old_text, &new, &new_text, &starts, &ends, &out, &out_text))
        return NULL;
    int64_t runs = starts.len / 8, at = 0, total = runs - 1, rows = width == 0 ? old.len * 8 : width < 0 ? old.len / 4 - 1 : old.len / width;
    const int64_t *start = starts.buf, *end = ends.buf;
    int ok = width >= -1 && runs > 0 && ends.len == starts.len;
    for (int64_t j = 0; ok && j < runs; j++) {
        ok = start[j] >= 0 && start[j] <= end[j] && end[j] <= rows;
        total += end[j] - start[j];
    }
    ok = ok && (width > 0 ? new.len >= (runs - 1) * width && out.len >= total * width : width == 0 ? new.len * 8 >= runs - 1 && out.len * 8 >= total + 64
            : new.len >= 4 * runs && out.len >= 4 * (total + 1) && out_text.len >= old_text.len + new_text.len);
    uint8_t *text = out_text.buf;
    const uint8_t *limit = (uint8_t *)out.buf + out.len, *old_end = (uint8_t *)old.buf + old.len, *new_end = (uint8_t *)new.buf + new.len;
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        if (width == 0)
            memset(out.buf, 0, out.len);
        if (width < 0)
            *(int32_t *)out.buf = 0;
        for (int64_t j = 0; j < runs; j++) {
            int64_t count = end[j] - start[j], more = j + 1 < runs;
            if (width > 0) {
                uint8_t *to = (uint8_t *)out.buf + at * width;
                copy_bytes(to, limit, (const uint8_t *)old.buf + start[j] * width, old_end, count * width);
                copy_bytes(to + count * width, limit, (const uint8_t *)new.buf + j * width, new_end, width * more);
            } else if (width == 0) {
                copy_bits(out.buf, at, &old, start[j], count);
                copy_bits(out.buf, at + count, &new, j, more);
            } else {
                int32_t *to = (int32_t *)out.buf + at + 1;
                text = copy_texts(to, text, out_text.buf, &old, &old_text, start[j], count);
                text = copy_texts(to + count, text, out_text.buf, &new, &new_text, j, more);
            }
            at += count + more;
        }
        Py_END_ALLOW_THREADS
    }
    Py_ssize_t used = text - (uint8_t *)out_text.buf;
    Py_buffer *held[] = {&old, &old_text, &new, &new_text, &starts, &ends, &out, &out_text};
    release(held, sizeof held / sizeof *held);
    return ok ? PyLong_FromSsize_t(used) : wrong_size();
}

/* fill(data, offsets, wide, first, fields, which, codes, places, out, out_text) -> bytes of text: for each entry its template, a run of `codes`, in
   which 256 + i stands for digit i of the field. `places` are the beginnings of the templates, with the end behind the last. */
PyObject *py_fill(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer data, offsets, fields, which, codes, places, out, out_text;
    Py_ssize_t first;
    int wide;
    if (!PyArg_ParseTuple(args, "y*y*pny*y*y*y*w*w*", &data, &offsets, &wide, &first, &fields, &which, &codes, &places, &out, &out_text))
        return NULL;
    int64_t count = fields.len / 8, templates = places.len / 8 - 1, rows = offsets.len / (wide ? 8 : 4) - 1 - first, known = -1, digits = 0;
    const int64_t *field = fields.buf, *template = which.buf, *place = places.buf;
    const int16_t *code = codes.buf;
    int32_t *ends = out.buf;
    uint8_t *text = out_text.buf, *limit = text + out_text.len, digit[1 << 16];
    int ok = which.len == fields.len && out.len >= 4 * (count + 1) && templates >= 0;
    if (ok)
        ends[0] = 0;
    for (int64_t i = 0; ok && i < count; i++) {
        ok = template[i] >= 0 && template[i] < templates && field[i] >= 0 && field[i] < rows;
        if (!ok)
            break;
        const int16_t *from = code + place[template[i]], *to = code + place[template[i] + 1];
        if (to > from && known != field[i]) {
            const uint8_t *p = (const uint8_t *)data.buf + offset_at(&offsets, wide, first + field[i]);
            const uint8_t *stop = (const uint8_t *)data.buf + offset_at(&offsets, wide, first + field[i] + 1);
            ok = stop <= (const uint8_t *)data.buf + data.len;
            for (digits = 0; ok && p < stop && digits < (int64_t)sizeof digit; p++) {
                digit[digits] = *p;
                digits += *p >= '0' && *p <= '9';
            }
            known = field[i];
        }
        ok = ok && limit - text >= to - from;
        for (; ok && from < to; from++) {
            int at = *from - 256;
            ok = at < digits;
            *text++ = ok && at >= 0 ? digit[at] : (uint8_t)*from;
        }
        ends[i + 1] = (int32_t)(text - (uint8_t *)out_text.buf);
    }
    Py_ssize_t used = text - (uint8_t *)out_text.buf;
    Py_buffer *held[] = {&data, &offsets, &fields, &which, &codes, &places, &out, &out_text};
    release(held, sizeof held / sizeof *held);
    return ok ? PyLong_FromSsize_t(used) : wrong_size();
}
