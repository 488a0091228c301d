"""``python -m tests.fuzz``: many calls, and a table of what came of them."""

import tests.conftest  # noqa: F401, I001  (pins threads and the compiler's cache before NumPy is imported)

import argparse
import collections
import json
import os
import random
import threading
import time
import warnings
from dataclasses import asdict
from pathlib import Path

from tests.fuzz.calls import Call, all_calls
from tests.fuzz.runner import Outcome, Runner
from tests.fuzz.verdicts import HANDLED, SKIPPED


def run(calls: list[tuple[int, Call]], path: Path, processes: int) -> None:
    """Run the calls in so many processes and write each outcome as a line."""
    left, lock, started = iter(calls), threading.Lock(), time.time()

    def serve() -> None:
        runner = Runner()
        with path.open("a", buffering=1) as file:
            while True:
                with lock:
                    number, call = next(left, (None, None))
                if call is None:
                    break
                outcome = runner(call)
                record = {"number": number, "verdict": outcome.verdict, "detail": outcome.detail}
                with lock:
                    file.write(json.dumps(record | {"call": asdict(call)}) + "\n")
        runner.stop()

    threads = [threading.Thread(target=serve) for _ in range(processes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{time.time() - started:.0f} s", flush=True)


def read(path: Path) -> dict[int, Outcome]:
    """The outcomes that a file of them holds."""
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return {x["number"]: Outcome(Call(**x["call"]), x["verdict"], x["detail"]) for x in lines}


def table(outcomes: list[Outcome]) -> str:
    """Counts by subject and verdict, and by kind and verdict."""
    lines = []
    for title in ("subject", "kind"):
        counts = collections.Counter((getattr(o.call, title), o.verdict) for o in outcomes)
        verdicts = sorted({v for _, v in counts}, key=lambda v: (v not in HANDLED, v))
        rows = sorted({s for s, _ in counts})
        lines.append(f"{title:36}" + "".join(f"{v[:12]:>13}" for v in verdicts))
        for row in [*rows, "all"]:
            of = [
                counts[row, v] if row != "all" else sum(counts[r, v] for r in rows)
                for v in verdicts
            ]
            lines.append(f"{row:36}" + "".join(f"{n:13}" for n in of))
        lines.append("")
    bad = sum(o.verdict not in HANDLED for o in outcomes)
    lines.append(
        f"{len(outcomes)} calls, {bad} mishandled ({100 * bad / max(1, len(outcomes)):.2f} %)"
    )
    return "\n".join(lines)


def main() -> None:
    """Draw calls, run them in several processes, print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "--calls", type=int, default=90_000, help="how many, drawn from all there are"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path(".fuzz"), help="folder of the outcomes")
    parser.add_argument(
        "--kinds", nargs="*", help="argument, setting, attribute, record, maker, ..."
    )
    parser.add_argument("--only", default="", help="calls whose program holds this text")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    calls = list(enumerate(all_calls()))
    if arguments.kinds:
        calls = [(i, c) for i, c in calls if c.kind in arguments.kinds]
    if arguments.only:
        calls = [
            (i, c) for i, c in calls if arguments.only in c.subject + " " + c.kind + " " + c.body()
        ]
    total = len(calls)
    calls = random.Random(arguments.seed).sample(calls, min(arguments.calls, total))
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "outcomes.jsonl"
    done = read(path)
    left = [(i, call) for i, call in calls if i not in done]
    print(f"{len(calls)} of {total} calls, seed {arguments.seed}, {len(left)} to run", flush=True)
    run(left, path, arguments.processes)
    outcomes = [o for o in read(path).values() if o.verdict != SKIPPED]
    text = f"seed {arguments.seed}\n\n{table(outcomes)}\n"
    (arguments.out / "table.txt").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
