# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bytes of a storage a view, a look-up or a sparse tensor covers. Many spans are kept
flat, (offset, length, offset, length ...): a list of lists is work for the garbage collector."""
from array import array
from itertools import chain

import torch


def flat(pairs):
    return array("Q", chain.from_iterable(pairs))


def pairs(flat_spans):
    return zip(flat_spans[::2], flat_spans[1::2])


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


def row_spans(table, index, limit):
    """Flat spans of the rows of @table that @index names, in order, at most @limit; and the bytes
    of those rows alone. A look-up may name thousands: tensors do the work."""
    size = table.element_size()
    pitch, base = table.stride(0) * size, table.storage_offset() * size
    width = span_of(table[0])[1]
    rows = index.flatten().sort().values            # torch.unique() takes twice as long
    if not rows.numel():
        return array("Q"), 0
    rows = rows[torch.cat([rows.new_ones(1, dtype=torch.bool), rows[1:] != rows[:-1]])]
    far = rows[1:] - rows[:-1] > (1 if width == pitch else 0)   # from the row before
    cuts = far.nonzero().flatten() + 1
    if cuts.numel() >= limit:                       # the smallest gaps are closed
        gaps = rows[cuts] - rows[cuts - 1]
        wide = torch.zeros_like(gaps, dtype=torch.bool)
        wide[torch.topk(gaps, limit - 1).indices] = True
        cuts = cuts[wide]
    first = rows[torch.cat([cuts.new_zeros(1), cuts])]
    last = rows[torch.cat([cuts - 1, cuts.new_tensor([rows.numel() - 1])])]
    spans = torch.stack([first * pitch + base, (last - first) * pitch + width], 1)
    return array("Q", spans.flatten().tolist()), rows.numel() * width


def element_spans(x, target, limit):
    """Flat spans of x[i, target[i]], which is what a negative log likelihood reads, and their
    bytes."""
    size = x.element_size()
    if x.dim() == 1:
        x, target = x.unsqueeze(0), target.reshape(1)
    rows = torch.arange(x.shape[0], device=x.device)
    ok = (target >= 0) & (target < x.shape[1])
    at = (x.storage_offset() + rows * x.stride(0) + target * x.stride(1))[ok].tolist()
    return flat(coarsened(merged([o * size, size] for o in at), limit)), len(at) * size
