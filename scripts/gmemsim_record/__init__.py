# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorder behind scripts/record_torch.py, one job a file:

  cli.py       the command: options, limits, what is printed
  run.py       runs the user's script as python would
  hooks.py     lets the loop see optimizers, backward passes and modules
  loop.py      phases, iterations, limits
  recorder.py  the dispatch mode: one event for each operator
  mode.py      the way from PyTorch to such a mode
  storages.py  which tensors live, what they are called, of what kind they are
  segments.py  which memory CUDA's caching allocator holds
  ops.py       what an operator reads and writes, from its schema
  work.py      what a call of it moves and computes, remembered by the layouts of its operands
  flops.py     how many floating-point operations it does
  spans.py     which bytes of a storage it covers
  clock.py     how long it took: CUDA events, or the host's clock less the recorder
  events.py    what waits until the iteration, or all of them, have ended
  control.py   what unwatched iterations tell, taken off the recorded ones
  emit.py      events to rows of a trace
  out.py       rows to a file, .gmt or JSON lines

Only cli.py and out.py may be imported where there is no PyTorch.
"""
