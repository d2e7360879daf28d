#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one unittest file and print a TAP line for each test.

A file without unittest cases is run as a script: it prints its own TAP lines,
or its exit status is the one case.
"""
import importlib.util
import os
import subprocess
import sys
import unittest


class Tap(unittest.TextTestResult):
    def addSuccess(self, test):
        super().addSuccess(test)
        print("ok", test.id().split(".", 1)[-1])

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print("ok", test.id().split(".", 1)[-1], "# SKIP", reason)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        print("not ok", test.id().split(".", 1)[-1])

    def addError(self, test, err):
        super().addError(test, err)
        print("not ok", test.id().split(".", 1)[-1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            print("not ok", subtest.id().split(".", 1)[-1])


def main(path):
    sys.path.insert(0, os.path.dirname(path))
    if "unittest" not in open(path, encoding="utf-8").read():
        run = subprocess.run([sys.executable, path], stdout=subprocess.PIPE, text=True)
        sys.stdout.write(run.stdout)
        if not any(l.startswith(("ok ", "not ok ")) for l in run.stdout.splitlines()):
            print("ok" if run.returncode == 0 else "not ok", "runs")
        return run.returncode
    spec = importlib.util.spec_from_file_location("t", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except SystemExit as left:  # something that it needs is not here
        print("ok the whole file # SKIP" if not left.code else "not ok loads")
        return left.code
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    print("1..%d" % suite.countTestCases())
    result = unittest.TextTestRunner(stream=sys.stderr, resultclass=Tap, verbosity=0).run(suite)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
