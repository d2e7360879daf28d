# SPDX-License-Identifier: GPL-3.0-or-later
"""For tests: runs Python scripts that want torch, which takes a second to import, in
children of one process that has imported it."""
import atexit
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import types


def python_with_torch():
    """This interpreter, or the system's where this one has no torch."""
    for python in (sys.executable, "/usr/bin/python3"):
        if os.path.exists(python) and not subprocess.run(
                [python, "-c", "import torch, zstandard"], capture_output=True).returncode:
            return python
    print("skipped: no torch")
    sys.exit(0)


PYTHON = python_with_torch()

# A line of JSON in, an exit status out.
PARENT = """
import json, os, resource, runpy, sys, traceback
import torch, torch.profiler, zstandard
def child(argv, cwd, env, limit, out, err):
    os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
    os.dup2(os.open(err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    os.chdir(cwd)
    os.environ.update(env)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    sys.argv = argv
    sys.path[0] = os.path.dirname(argv[0])
    runpy.run_path(argv[0], run_name="__main__")
torch.set_num_threads(1)
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        status = 0
        try:
            child(*json.loads(line))
        except SystemExit as e:
            if isinstance(e.code, str):
                print(e.code, file=sys.stderr)
            status = e.code if isinstance(e.code, int) else int(e.code is not None)
        except BaseException:
            traceback.print_exc()
            status = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    status = os.waitpid(pid, 0)[1]
    print(os.waitstatus_to_exitcode(status), flush=True)
"""
_parent = None


def run(argv, cwd=None, env=None, limit=None):
    """Run the script argv[0]; returns returncode, stdout, stderr. @limit: bytes of a file."""
    global _parent
    if _parent is None:
        _parent = subprocess.Popen([PYTHON, "-c", PARENT], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True,
                                   env=dict(os.environ, OMP_NUM_THREADS="1"))
        atexit.register(lambda: (_parent.stdin.close(), _parent.wait()))
    with tempfile.TemporaryDirectory() as d:
        out, err = os.path.join(d, "out"), os.path.join(d, "err")
        argv = [os.path.abspath(argv[0]), *argv[1:]]
        request = [argv, cwd or os.getcwd(), env or {}, limit, out, err]
        _parent.stdin.write(json.dumps(request) + "\n")
        _parent.stdin.flush()
        status = int(_parent.stdout.readline())
        texts = [pathlib.Path(f).read_text(encoding="utf-8") for f in (out, err)]
    return types.SimpleNamespace(returncode=status, stdout=texts[0], stderr=texts[1])
