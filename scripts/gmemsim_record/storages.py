# SPDX-License-Identifier: GPL-3.0-or-later
"""Which storages live, what they are called, and of what kind they are.

PyTorch tells nobody when a storage dies, but Python tells when a tensor does. Each storage is
covered by the tensors seen to use it; once the last of them is gone only a look shows whether
C++ holds it still (0.12 us), and such a bare storage gets one at every operator. What stays for
good (weights, optimizer state, gradients) is often bare: it waits for the turns of the loop and
every 64th operator.
"""
import weakref
from collections import deque

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from .flops import tensors_in

STAY = ("weight", "optimizer", "gradient")
LOOK_AT_STAYING = 64                                # operators

_expired = torch.storage.UntypedStorage._expired if hasattr(torch.storage, "UntypedStorage") \
    else torch.Storage._expired
storage_of = torch.Tensor.untyped_storage if hasattr(torch.Tensor, "untyped_storage") \
    else torch.Tensor._storage


class Cover(weakref.ref):
    """A tensor's hold on its storage, as of when its data lay at @at."""
    __slots__ = ("tensor", "at", "s")


class Storage:
    __slots__ = ("ref", "bytes", "va", "device", "kind", "name", "born", "kernels", "consumed",
                 "written", "t", "shown", "covers", "away")
    caches = set()                                  # names of what turned out to be a cache

    def __init__(self, ref, st, size, device, born, name):
        self.ref, self.bytes, self.va, self.device = ref, size, st.data_ptr(), device
        self.away = device.type != "cpu"
        self.covers = 0                             # living tensors known to use it
        self.kind, self.name, self.born = None, name, born      # kind: where it is certain
        self.kernels, self.consumed = 0, False
        self.written = None                         # in which forward call without gradients
        self.t = self.shown = None                  # number and kind in the trace

    def final_kind(self):
        if self.kind:
            return self.kind
        if self.written is not None and self.name in self.caches:
            return "kv_cache"
        if self.born == "data" or (self.born == "setup" and self.consumed):
            return "input"
        if self.born == "setup":
            return "other"
        return "activation" if self.born == "forward" and self.kernels > 1 else "workspace"

    def used_in_inference(self, call, wrote):
        """What one forward call writes and a later one reads is a cache (of keys and values);
        what is made at the same place in the next call will be one too."""
        if not wrote and self.written is not None and self.written < call:
            self.kind = "kv_cache"
            self.caches.add(self.name)
        if wrote:
            self.written = call


class Storages:
    """@on_alloc and @on_free are told of births and deaths, in order; @here() says in which
    phase and under which name something is born."""

    def __init__(self, on_alloc, on_free, here):
        self.on_alloc, self.on_free, self.here = on_alloc, on_free, here
        self.live, self.bare, self.staying = {}, {}, {}     # the latter two are among the first
        self.covers, self.dead = {}, deque()        # by a tensor's id; those of dead tensors
        self.paths, self.taken, self.param_names = {}, {}, {}
        self.tick = 0

    def __iter__(self):
        return iter(self.live.values())

    def find(self, t, born=None):
        """The record of @t's storage, made at first sight; None where there is no memory.
        @born: its phase and name, where they are known better."""
        cover = self.covers.get(id(t))
        if cover is not None and cover() is t and t.data_ptr() == cover.at:
            return cover.s
        try:
            st = storage_of(t)
            key, size = st._cdata, st.nbytes()
            at = t.data_ptr()
        except (NotImplementedError, RuntimeError):     # sparse, fake, functional
            return None
        s = self.live.get(key)
        if s is None or s.bytes != size:
            if s is not None:                       # resized: another tensor in this trace
                self.on_free(s)
                self.bare.pop(key, None)
                self.staying.pop(key, None)
            # The weak reference keeps the husk of a storage, so its address, our key, is not
            # used again before we have looked.
            s = Storage(s.ref if s else StorageWeakRef(st), st, size, t.device, *(born or self.here()))
            self.live[key] = s
            self.on_alloc(s)
        self.cover(t, at, s, key)
        return s

    def cover(self, t, at, s, key):
        """@t lives, and so does its storage."""
        c = Cover(t, self.dead.append)
        c.tensor, c.at, c.s = id(t), at, s
        s.covers += 1
        if s.covers == 1:
            self.bare.pop(key, None)
            self.staying.pop(key, None)
        before = self.covers.get(c.tensor)
        self.covers[c.tensor] = c
        if before is not None and before() is t:    # its data is another than it was
            self.uncover(before)

    def uncover(self, cover):
        s, cover.s = cover.s, None
        if s is not None:
            s.covers -= 1
            key = s.ref.cdata
            if not s.covers and self.live.get(key) is s:    # else it was resized or has died
                self.bare[key] = s

    def look(self):
        """Book the deaths since the last operator."""
        dead, covers = self.dead, self.covers
        while dead:
            c = dead.popleft()
            if covers.get(c.tensor) is c:           # else the address has a new tensor by now
                del covers[c.tensor]
            self.uncover(c)
        if self.bare:
            self.look_at(self.bare)
        self.tick += 1
        if self.tick % LOOK_AT_STAYING == 0:
            self.look_at(self.staying)

    def look_at_all(self):
        """And at those that something may have emptied behind the backs of their tensors."""
        self.look()
        self.look_at(self.live)

    def look_at(self, some):
        for key, s in list(some.items()):
            if _expired(key):
                del self.live[key]
                self.bare.pop(key, None)
                self.staying.pop(key, None)
                self.on_free(s)
            elif some is self.bare and s.kind in STAY:
                self.staying[key] = self.bare.pop(key)

    # Names and kinds

    def tag(self, t, kind, name):
        for part in tensors_in(t):
            s = self.find(part, ("setup", name))
            if s is not None and s.kind in (None, kind):
                s.kind, s.name = kind, name

    def meet(self, root):
        """Names of an outermost module's parts; done at each call, as models may grow."""
        cls = type(root).__name__
        for name, m in root.named_modules():
            self.paths[id(m)] = name or cls
        for kind in (root.named_parameters(), root.named_buffers()):
            for name, p in kind:
                if self.taken.setdefault(name, id(p)) != id(p):
                    name = f"{cls}.{name}"          # a second network with the same names
                self.param_names[id(p)] = name
                self.tag(p, "weight", name)

    def survey(self, opt):
        """Kinds that an optimizer knows."""
        for g, group in enumerate(opt.param_groups):
            for i, p in enumerate(group["params"]):
                name = self.param_names.setdefault(id(p), f"param.{g}.{i}")
                self.tag(p, "weight", name)
                if p.grad is not None:
                    self.tag(p.grad, "gradient", name + ".grad")
                state = opt.state.get(p)
                for key, t in (state.items() if isinstance(state, dict) else ()):
                    for x in tensors_in(t):
                        self.tag(x, "optimizer", f"{name}.{key}")
