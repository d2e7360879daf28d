# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bytes of a storage a view, a look-up or a sparse tensor covers."""
import torch


def span_of(t):
    """Byte offset and length that the view @t covers in its storage."""
    size = t.element_size()
    reach = 1 + sum((n - 1) * s for n, s in zip(t.shape, t.stride()))
    return t.storage_offset() * size, reach * size


def merged(spans):
    """Sorted, with overlapping and adjacent ones joined."""
    out = []
    for off, n in sorted(spans):
        if out and off <= out[-1][0] + out[-1][1]:
            out[-1][1] = max(out[-1][1], off + n - out[-1][0])
        else:
            out.append([off, n])
    return out


def coarsened(spans, limit):
    """At most @limit spans: the smallest gaps are closed first."""
    if len(spans) <= limit:
        return spans
    gaps = sorted(range(1, len(spans)), key=lambda i: spans[i][0] - sum(spans[i - 1]))
    keep = set(gaps[len(gaps) - (limit - 1):]) if limit > 1 else set()
    out = [list(spans[0])]
    for i in range(1, len(spans)):
        if i in keep:
            out.append(list(spans[i]))
        else:
            out[-1][1] = sum(spans[i]) - out[-1][0]
    return out


def row_spans(table, index):
    """Spans of the rows of @table that @index names, in order."""
    size = table.element_size()
    pitch, base = table.stride(0) * size, table.storage_offset() * size
    width = span_of(table[0])[1]
    rows = torch.unique(index)
    if width != pitch or not rows.numel():
        return [(base + r * pitch, width) for r in rows.tolist()]
    first = torch.ones_like(rows, dtype=torch.bool)     # of a run of neighbours
    first[1:] = rows[1:] != rows[:-1] + 1
    begin = first.nonzero().flatten()
    count = torch.diff(begin, append=begin.new_tensor([rows.numel()]))
    return [(base + r * pitch, n * pitch) for r, n in zip(rows[begin].tolist(), count.tolist())]


def element_spans(x, target):
    """Spans of x[i, target[i]], which is what a negative log likelihood reads."""
    size = x.element_size()
    if x.dim() == 1:
        x, target = x.unsqueeze(0), target.reshape(1)
    rows = torch.arange(x.shape[0], device=x.device)
    ok = (target >= 0) & (target < x.shape[1])
    at = (x.storage_offset() + rows * x.stride(0) + target * x.stride(1))[ok]
    return merged([o * size, size] for o in at.tolist())
