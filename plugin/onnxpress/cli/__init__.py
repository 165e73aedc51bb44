"""The command `onnxpress`. Exit status: 0 done, 1 an error with a sentence, 2 wrong arguments."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import __version__
from ..errors import TRACEBACK, sentence
from ..limits import LIMITS, Limits
from ..targets import TARGETS
from ..tasks import TASKS
from ..weights.encodings import PLAIN, WEIGHTS
from . import bench, build, compile, dedupe, export, inspect, new, serve
from .arguments import CACHE, cache_place, count, counts, positive, shape, target_list


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    _write_utf8()
    options = parser().parse_args(arguments)
    if "gigabytes" in options:
        options.limits = Limits(options.gigabytes, options.minutes, options.teraflop)
    try:
        return options.run(options) or 0
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has stopped reading
        sys.stderr.close()
        return 0
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        sys.stderr.write(f"onnxpress: {sentence(error)}\n")
        return 1


def _write_utf8() -> None:
    """On Windows, output to a file or a pipe lacks most characters otherwise."""
    if sys.platform == "win32":
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(encoding="utf-8")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="onnxpress", description="Press ONNX models into web pages.")
    top.add_argument("--version", action="version", version=f"onnxpress {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_new, _add_build, _add_export, _add_compile, _add_verify, _add_explain,
                _add_bench, _add_dedupe, _add_serve):
        add(commands)
    return top


def _command(commands, name: str, run, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text)
    command.set_defaults(run=run)
    return command


def _add_new(commands) -> None:
    command = _command(commands, "new", new.run, "Begin a demo: write demos/NAME.yml.")
    command.add_argument("name", metavar="NAME")
    command.add_argument("--task", choices=tuple(TASKS), default=next(iter(TASKS)))
    command.add_argument("--folder", type=Path, default=Path("demos"))


def _add_build(commands) -> None:
    command = _command(commands, "build", build.run,
                       "Build demos into pages and packs, without MkDocs.")
    command.add_argument("specs", nargs="+", type=Path, metavar="SPEC")
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    _add_places(command)
    command.add_argument("--jobs", type=int, default=0,
                         help="child processes (default: one per processor)")
    _add_limits(command)
    _add_json(command)


def _add_export(commands) -> None:
    command = _command(commands, "export", export.run,
                       "Build a demo into one HTML file that needs no server and no network.")
    command.add_argument("spec", type=Path, metavar="SPEC")
    command.add_argument("--html", type=Path, required=True, metavar="FILE")
    command.set_defaults(jobs=1)
    _add_places(command)
    _add_limits(command)
    _add_json(command)


def _add_compile(commands) -> None:
    command = _command(commands, "compile", compile.run_compile,
                       "Compile any model into a folder that is ready to be served.")
    command.add_argument("model", type=Path, metavar="MODEL",
                         help="net.onnx, net.tflite, or a Python function that returns it: "
                              "net.py:build")
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    command.add_argument("--targets", type=target_list, default=tuple(TARGETS),
                         metavar=",".join(TARGETS))
    command.add_argument("--weights", choices=WEIGHTS, default=PLAIN)
    command.add_argument("--sample", type=Path, action="append", default=[], metavar="FILE.npz",
                         help="one array per input name, as the model takes it, to prove and "
                              "calibrate on; may be repeated")
    _add_shapes(command)
    _add_limits(command)
    _add_json(command)


def _add_verify(commands) -> None:
    command = _command(commands, "verify", compile.run_verify,
                       "Prove built packs again: every file's hash, every program's results, and "
                       "the proof sheet. A published site is downloaded first.")
    command.add_argument("place", metavar="DIR|URL")
    command.add_argument("--js", action="store_true",
                         help="run the JavaScript program too, in V8")
    command.add_argument("--webgpu", action="store_true",
                         help="compile the shaders too, where the package wgpu is installed")
    command.add_argument("--json", action="store_true")


def _add_explain(commands) -> None:
    command = _command(commands, "explain", inspect.run_explain,
                       "Show the graph that the compiler makes of a model, and its decisions.")
    command.add_argument("model", type=Path, metavar="SPEC|MODEL")
    command.add_argument("--after", metavar="PASS", help="stop after this pass, or `import`")
    command.add_argument("--json", action="store_true")
    _add_shapes(command)
    _add_places(command)


def _run_bench(options: argparse.Namespace) -> None:
    mode = (bench.frames if options.frames else bench.against if options.against else
            bench.batch if options.batch else bench.command)
    mode.run(options)


def _add_bench(commands) -> None:
    command = _command(commands, "bench", _run_bench,
                       "Time a model's steps in this machine's Chromium, in Node under Dawn, or in "
                       "wasmtime if there is no Chromium.")
    command.add_argument("model", type=Path, metavar="SPEC|MODEL")
    command.add_argument("--target", choices=TARGETS, default="wasm")
    command.add_argument("--build", choices=("relaxed", "simd128"),
                         help="the build of wasm (default: the best that runs)")
    command.add_argument("--engine", choices=("chromium", "dawn"), default="chromium",
                         help="where webgpu runs; dawn is Chromium's WebGPU in Node, from the npm "
                              "package webgpu (default: chromium)")
    command.add_argument("--runs", type=count, default=10, metavar="N",
                         help="measurements per figure (default: 10)")
    command.add_argument("--frames", type=count, metavar="N",
                         help="measure frames per second instead: N frames from a video to a "
                              "canvas on WebGPU")
    command.add_argument("--batch", type=counts, metavar="N,...",
                         help="measure samples per second instead, in batches of these sizes; the "
                              "model's inputs begin with a free dimension")
    command.add_argument("--json", type=Path, nargs="?", const=bench.report.STDOUT, metavar="FILE",
                         help="write results as JSON to FILE, or as the only standard output")
    command.add_argument("--against", type=Path, metavar="DIR",
                         help="measure other engines and ours by turns instead, with the harness "
                              "in DIR (see onnxpress/cli/bench/against.py)")
    command.add_argument("--chart", type=Path, metavar="FILE",
                         help="draw the steps as bars, in one HTML file")
    _add_shapes(command)
    _add_places(command)


def _add_dedupe(commands) -> None:
    command = _command(commands, "dedupe", dedupe.run, "Keep one copy of equal shards and programs "
                       "in a published site with many versions, as mike makes them.")
    command.add_argument("folder", type=Path, metavar="DIR")
    _add_json(command)


def _add_serve(commands) -> None:
    command = _command(commands, "serve", serve.run,
                       "Serve a folder; without one, the site of mkdocs.yml, rebuilt on change.")
    command.add_argument("folder", type=Path, nargs="?", metavar="DIR")
    command.add_argument("--port", type=int, default=8000)


def _add_shapes(command: argparse.ArgumentParser) -> None:
    command.add_argument("--shape", type=shape, action="append", default=[],
                         metavar="NAME=1x3x224x224", help="fixes an input's dynamic dimensions")
    command.add_argument("--no-simplify", dest="simplify", action="store_false",
                         help="leave out onnxsim, which simplifies the model first")


def _add_places(command: argparse.ArgumentParser) -> None:
    command.add_argument("--models", type=Path, metavar="DIR", help="cards and labels "
                         "(default: models/ here or beside the spec's folder)")
    command.add_argument("--recipes", type=Path, action="append", default=[], metavar="DIR",
                         help="a further folder whose Python files specs may name as recipes "
                              "(default: the folder of cards alone); may be repeated")
    command.add_argument("--cache", type=cache_place, metavar="DIR|URL", default=(CACHE, ""),
                         help="where packs are kept: a folder, or the URL of a cache that machines "
                              f"share (s3://…), which is asked after the folder {CACHE}")


def _add_limits(command: argparse.ArgumentParser) -> None:
    for name, what in (("gigabytes", "memory of the compiling process"),
                       ("minutes", "time to compile a model"),
                       ("teraflop", "10^12 floating-point operations of one run")):
        default = getattr(LIMITS, name)
        command.add_argument(f"--{name}", type=positive, default=default, metavar="N",
                             help=f"the most {what} (default: {default:g})")


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true",
                         help="write results as JSON, as the only standard output")
