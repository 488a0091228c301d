"""The process in which the calls run: it takes calls, and answers with verdicts, as lines of JSON."""

import copy
import json
import os
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np

from tests.fuzz import verdicts
from tests.fuzz.calls import Call, namespace

SECONDS = {"odd": 60.0, "same": 60.0, "long": 1.0}  # a first call may compile
AGAIN = 5.0  # seconds after which a call that goes on is interrupted once more
MEMORY = 6 << 30
NEW_PROCESS: Any = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}


class Timer:
    """Ctrl-C after some seconds: the signal of a terminal, which the library holds back while Numba compiles.

    Seconds are those of the processor, so that no verdict depends on what else the machine does.
    """

    rang = False

    def __call__(self, *_: Any) -> None:
        self.rang = True
        signal.raise_signal(signal.SIGINT)

    @contextmanager
    def running(self, seconds: float) -> Iterator[None]:
        """Interrupt the block if it lasts longer, and again until it ends."""
        self.rang = False
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGPROF, self)
        signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)


TIMER = Timer()


@lru_cache(maxsize=512)
def machine(make: str) -> Any:
    """An estimator, made once; callers take a copy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(make, dict(namespace()))


def scene(call: Call, value: str) -> dict[str, Any]:
    """The names of one call, up to the statement before it."""
    names = dict(namespace())
    names["X"], names["y"] = names["X"].copy(), names["y"].copy()
    names["est"] = copy.deepcopy(machine(call.make))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names["a"] = eval(call.good, names)
        if call.kind == "attribute":
            names["a"] = copy.deepcopy(names["a"])
        names["value"] = eval(value, names)
    return names


@lru_cache(maxsize=4096)
def clean(make: str, good: str, before: str, do: str, kind: str) -> tuple[Any, list[str]]:
    """Result and warnings of the call with the good value; None and the error where it is refused."""
    call = Call("", kind, "", make, good, "a", do, before)
    names = scene(call, "a")
    try:
        with warnings.catch_warnings(record=True) as caught, TIMER.running(60):
            warnings.simplefilter("always")
            exec(before, names)
            result = eval(do, names)
    except Exception as error:
        return None, [heading(error)]
    return result, [heading(w) for w in caught]


def heading(told: Any) -> str:
    """The kind and the first words of a warning or an error, without its numbers."""
    kind, message = getattr(told, "category", type(told)), getattr(told, "message", told)
    return f"{kind.__name__} " + re.sub(r"[-\d.e+]+", "#", str(message))[:50]


def judge(call: Call) -> tuple[str, str]:
    """The verdict on a call, and what it is founded on; on a slow one once all is compiled that it takes."""
    found = judge_once(call)
    return judge_once(call) if found[0] in ("slow", "hang") else found


def judge_once(call: Call) -> tuple[str, str]:
    """The verdict on one run of a call."""
    try:
        names = scene(call, call.value)
    except Exception as error:
        return "skipped", f"no such value: {type(error).__name__}: {error}"[:200]
    held = [names[name] for name in ("X", "y", "value")]
    est, before, result, error = names["est"], verdicts.content(held), None, None
    state = verdicts.content(est)
    random = verdicts.content(namespace()["np"].random.get_state(legacy=False))
    started = time.process_time()
    # NumPy warns as in a new process, whatever was called before.
    with warnings.catch_warnings(record=True) as caught, np.errstate(**NEW_PROCESS):
        warnings.simplefilter("always")
        try:
            with TIMER.running(SECONDS[call.role]):
                exec(call.before, names)
                state = verdicts.content(est)
                result = eval(call.do, names)
        except BaseException as raised:
            error = raised
    taken = time.process_time() - started
    if taken > SECONDS[call.role] + 9:
        return "hang", f"deaf to an interrupt for {taken:.0f} s"
    if TIMER.rang:
        return ("long" if call.role == "long" else "slow"), call.role
    if not all(is_open(number) for number in (0, 1, 2)):
        return "closed a file", "standard input, output or error"
    if verdicts.content(held) != before and not consumed(names["value"]):
        return "wrote to the caller's data", ""
    if error is not None:
        return of_failure(call, error, est, state, random)
    return of_success(call, names, result, caught)


def consumed(value: Any) -> bool:
    """Whether a value is used up by reading it, or is a source of random numbers."""
    return hasattr(value, "__next__") or "random" in type(value).__module__


def is_open(number: int) -> bool:
    """Whether a file of the process is."""
    try:
        os.fstat(number)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_RDWR), number)
        return False
    return True


def of_failure(
    call: Call, error: BaseException, est: Any, state: Any, random: Any
) -> tuple[str, str]:
    """The verdict on a call that raised."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(last.filename)}:{last.name}"
    text = f"{type(error).__name__}: {str(error)[:300]} [{place}]"
    after = verdicts.content(est)
    found = verdicts.of_error(error, call.argument, call.kind)
    if (
        found == "unnamed"
        and heading(error) in clean(call.make, call.good, call.before, call.do, call.kind)[1]
    ):
        found = "refused"  # the machine cannot do this, whatever the value
    if found in ("internal", "unnamed"):
        return found, text
    if after != state:
        changed = differing(est, state)
        return (
            "stream moved" if changed <= {"random_state", "_course"} else "estimator changed"
        ), (f"{sorted(changed)} after {text}")
    if verdicts.content(namespace()["np"].random.get_state(legacy=False)) != random:
        return "stream moved", "of NumPy's global generator"
    return found, text


def differing(est: Any, state: Any) -> set[str]:
    """Names of the attributes that are no longer as they were."""
    before, after = dict(state[1]), dict(verdicts.content(est)[1])
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def of_success(
    call: Call, names: dict[str, Any], result: Any, caught: list[Any]
) -> tuple[str, str]:
    """The verdict on a call that returned."""
    leaks = verdicts.leaked(caught)
    expected, usual = clean(call.make, call.good, call.before, call.do, call.kind)
    told = sorted({heading(w) for w in caught} - set(usual))
    text = "; ".join(told)[:300]
    if leaks:
        return "leaked warning", "; ".join(leaks)[:300]
    method = re.match(r"\w+\.(?:set_params\(.*\)\.)?(\w+)\(", call.do)
    method = method[1] if method else ""
    bad = verdicts.bad_numbers(result) - verdicts.bad_numbers(expected)
    if told or call.argument == "max_iter":
        # What was recorded of a training that diverged, and is told so, or that made no epoch, may be infinite.
        recorded = ("loss", "history", "validation_score")
        bad = {path for path in bad if not any(word in path for word in recorded)}
    if bad:
        if verdicts.only_minus_infinity(result) and ("score" in method or "log" in method):
            return "minus infinity", ""
        return ("not finite" if told else "silent"), f"not finite: {sorted(bad)[:5]} {text}"
    est = names["est"]  # densities may exceed one, and scores of outliers are free energies
    discrete = not (hasattr(est, "log_variance_visible_") or hasattr(est, "offset_"))
    if not caught and verdicts.impossible(method, result, discrete):
        return "silent", f"impossible numbers of {method}: {str(result)[:80]}"
    # Tables read names and dtypes of frames, not only numbers.
    as_table = "TableRBM" in call.make and re.search("pd.DataFrame|object", call.value)
    same = expected is None or as_table or verdicts.same(result, expected)
    if call.role == "same" and not same:
        return (
            ("warned", text) if told else ("silent", "another result than that of the same numbers")
        )
    return used(call, result, expected, told, text)


def used(call: Call, result: Any, twin: Any, told: list[str], text: str) -> tuple[str, str]:
    """The verdict after the machine that was learned has been used once; its twin learned from the good value."""
    good = ("warned", text) if told else ("right" if call.role == "same" else "finite", "")
    if not hasattr(result, "get_params") or call.kind == "attribute":
        return good
    X = namespace()["X"]
    if getattr(result, "n_features_in_", None) != X.shape[1] or hasattr(
        result, "feature_names_in_"
    ):
        return good
    name = next((n for n in ("predict", "transform", "score_samples") if hasattr(result, n)), "")
    if not name or (twin is not None and not works(twin, name)):
        return good
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            read = getattr(result, name)(X.copy())
        except Exception as error:
            found = verdicts.of_error(error, call.argument, call.kind)
            later = f"later, {name}(X): {type(error).__name__}: {error}"[:300]
            return (found, later) if found in ("internal", "unnamed") else good
    if verdicts.leaked(caught):
        return "leaked warning", f"later, {name}(X): {verdicts.leaked(caught)}"
    if verdicts.bad_numbers(read) and not told:
        return "silent", f"later, {name}(X) is not finite"
    return good


def works(machine: Any, name: str) -> bool:
    """Whether a machine can read the good rows at all."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            getattr(machine, name)(namespace()["X"].copy())
        except Exception:
            return False
    return True


def main(source: int, sink: int) -> None:
    """Answer calls until there are no more."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(sink, "w", buffering=1)
    with tempfile.TemporaryDirectory() as folder, os.fdopen(source) as lines:
        os.chdir(folder)
        for line in lines:
            call = Call(**json.loads(line))
            try:
                verdict, detail = judge(call)
            except BaseException as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                verdict, detail = "broken fuzz", f"{type(error).__name__}: {error} {where}"[:400]
            answers.write(json.dumps([verdict, detail]) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
