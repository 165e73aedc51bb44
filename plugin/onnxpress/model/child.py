"""Python programs in processes of their own, which may crash, hang or use up memory.

They import nothing from the working directory, where a stranger's file may lie. They end when the
process that started them ends, however it ends.

Run as `python -P -m onnxpress.model.child MODULE ARGUMENT…`.
"""

import ctypes
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Thread

STDIN = 0
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def run_child(module: str, *arguments: str | Path, log: Path | None = None,
              timeout: float | None = None, env: Mapping[str, str] | None = None) -> int:
    """The exit status of `python -m MODULE ARGUMENT…`. `log`: the file that gets its output, which
    else goes where ours goes. `timeout`: the most seconds that it may take. `env`: variables over
    the environment.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was ended.
        OSError: it cannot be started, or the log cannot be written.
    """
    out = None if log is None else log.open("wb")
    try:
        with subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, module, *arguments], stdin=subprocess.PIPE,
                stdout=out, stderr=out, env={**os.environ, **(env or {})}) as child:
            try:
                return child.wait(timeout)
            finally:
                child.kill()
    finally:
        if out:
            out.close()


def _end_with_parent() -> None:
    """Waits for the end of standard input, which is a pipe that only our parent holds."""
    while os.read(STDIN, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    if sys.platform == "linux":  # onnxsim holds the interpreter's lock, which the thread needs
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    Thread(target=_end_with_parent, daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
