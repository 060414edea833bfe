"""Compile a checkpoint on the machines of a Ray cluster: a task for each part, then the link.

    python examples/ray/compile.py MODEL PLAN [--parts N] [moec flags, such as --quant int4-g32]

MODEL and PLAN must be paths that every machine sees, such as on NFS, and moec must be installed on each (or MOEC tell how it
is called). Without a cluster in RAY_ADDRESS, Ray starts one on this machine. A part whose machine is lost is written again elsewhere:
a part appears whole or not at all, and the plan has the bytes of a compile on one machine.
"""
import argparse
import os
import pathlib
import shlex
import subprocess
import sys

import ray

moec = shlex.split(os.environ.get("MOEC", "npx moec"))
# What another machine would answer alike: bad usage, a bad model, a device too small.
final = {2, 3, 4}


class Refused(Exception):
    """moec's answer and its exit code; not tried again."""


class Failed(Exception):
    """Anything else; tried again."""


def run(*arguments: str) -> None:
    done = subprocess.run([*moec, *arguments, "--quiet"], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise (Refused if done.returncode in final else Failed)(done.stderr, done.returncode)


@ray.remote(num_cpus=1, max_retries=3, retry_exceptions=[Failed])
def compile_part(model: str, folder: str, part: int, parts: int, flags: list[str]) -> str:
    run("compile", model, "--part", f"{part}/{parts}", "-o", folder, "--threads", "1", *flags)
    return folder


@ray.remote(num_cpus=1, max_retries=3, retry_exceptions=[Failed])
def link(folders: list[str], plan: str) -> None:
    run("link", *folders, "-o", plan)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("model", type=pathlib.Path)
    arguments.add_argument("plan", type=pathlib.Path)
    arguments.add_argument("--parts", type=int, help="default: the processors of the cluster")
    options, flags = arguments.parse_known_args()
    model, plan = options.model.resolve(), options.plan.resolve()
    ray.init(include_dashboard=False, log_to_driver=False)
    parts = options.parts or max(1, int(ray.cluster_resources()["CPU"]))
    folder = plan.parent / f"{plan.name}-parts"
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [
        compile_part.remote(str(model), str(folder / f"{i}-of-{parts}"), i, parts, flags) for i in range(1, parts + 1)
    ]
    try:
        made = []
        for task in tasks:
            made.append(ray.get(task))
            print(f"part {len(made)} of {parts} is made", file=sys.stderr)
        ray.get(link.remote(made, str(plan)))
    except ray.exceptions.RayTaskError as error:
        if not isinstance(error.cause, (Refused, Failed)):
            raise
        text, code = error.cause.args
        print(text, end="", file=sys.stderr)
        return max(code, 1)  # less than 0 is a signal's number
    print(f"linked {plan}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
