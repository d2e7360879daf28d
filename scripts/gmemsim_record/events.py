# SPDX-License-Identifier: GPL-3.0-or-later
"""What an iteration is made of while it waits to be written: tuples that begin with one of

  ALLOC     storage
  FREE      storage
  KERNEL    ns, timer (None on the host), work, class, phase, storages by position
  GAP       ns, phase, operators since the gap before
  MARK      number of the iteration
  SEGMENT   is it a free, number of the GPU, address, bytes
  RESERVED  number of the GPU, bytes of its segments now, as PyTorch says
"""
ALLOC, FREE, KERNEL, GAP, MARK, SEGMENT, RESERVED = range(7)


def of_host(work, phase):
    """Whether such a KERNEL is the host's own: its time is in the gap already."""
    return phase == "data" or work.name == "aten._local_scalar_dense"
