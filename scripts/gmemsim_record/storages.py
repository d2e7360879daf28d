# SPDX-License-Identifier: GPL-3.0-or-later
"""Which storages live, what they are called, and of what kind they are.

PyTorch tells nobody when a storage dies, so each is looked at (0.13 us): the young ones
at every operator, those that stay for good (weights, optimizer state, gradients) at the
turns of the loop and at every 64th operator.
"""
import torch
from torch.multiprocessing.reductions import StorageWeakRef

from .flops import tensors_in

STAY = ("weight", "optimizer", "gradient")
LOOK_AT_ALL = 64                                    # operators

_expired = torch.storage.UntypedStorage._expired if hasattr(torch.storage, "UntypedStorage") \
    else torch.Storage._expired


class Storage:
    __slots__ = ("ref", "bytes", "va", "device", "kind", "name", "born", "kernels", "consumed",
                 "written", "t", "shown")
    caches = set()                                  # names of what turned out to be a cache

    def __init__(self, ref, st, device, born, name):
        self.ref, self.bytes, self.va, self.device = ref, st.nbytes(), st.data_ptr(), device
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


def storage_of(t):
    return t.untyped_storage() if hasattr(t, "untyped_storage") else t._storage()


class Storages:
    """@on_alloc and @on_free are told of births and deaths, in order."""

    def __init__(self, on_alloc, on_free):
        self.on_alloc, self.on_free = on_alloc, on_free
        self.young, self.old = {}, {}
        self.paths, self.taken, self.param_names = {}, {}, {}
        self.tick = 0

    def __iter__(self):
        yield from self.old.values()
        yield from self.young.values()

    def find(self, t, phase, name):
        """The record of @t's storage, made at first sight; None where there is no memory."""
        try:
            st = storage_of(t)
            key, size = st._cdata, st.nbytes()
        except (NotImplementedError, RuntimeError):     # sparse, fake, functional
            return None
        s = self.young.get(key) or self.old.get(key)
        if s is not None and s.bytes == size:
            return s
        if s is not None:                           # resized: another tensor in this trace
            self.on_free(s)
            self.old.pop(key, None)
        # The weak reference keeps the husk of a storage, so its address, our key, is not
        # used again before we have looked.
        s = self.young[key] = Storage(s.ref if s else StorageWeakRef(st), st, t.device, phase, name)
        self.on_alloc(s)
        return s

    def look(self, at_all=False):
        """Book the deaths since the last look."""
        self.tick += 1
        if at_all or self.tick % LOOK_AT_ALL == 0:
            self._look(self.old)
        self._look(self.young)

    def _look(self, live):
        expired = _expired
        for key in [k for k in live if expired(k)]:
            self.on_free(live.pop(key))

    def settle(self):
        """Those whose kind is known to stay are old from now on."""
        for key in [k for k, s in self.young.items() if s.kind in STAY]:
            self.old[key] = self.young.pop(key)

    # Names and kinds

    def tag(self, t, kind, name):
        for part in tensors_in(t):
            s = self.find(part, "setup", name)
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
