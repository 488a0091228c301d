"""The rules of the house that a linter does not know: read from the sources, nothing is run."""

import ast
import inspect
import io
import re
import subprocess
import sys
import textwrap
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpydoc.validate
import pytest

import ebm
import ebm.sklearn_compat

ROOT = Path(__file__).parents[1]
CORE = sorted(p for p in (ROOT / "ebm").rglob("*.py") if "sklearn_compat" not in p.parts)
ESTIMATORS = sorted((ROOT / "sklearn_compat").rglob("*.py"))
SOURCES = CORE + ESTIMATORS

MAX_CODE_LINES = 350  # of a file, without docstrings, comments and blank lines
MAX_BODY_LINES = 60
MAX_ARGUMENTS = 10

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def imported_roots(tree: ast.Module) -> set[str]:
    """The first names of all absolute imports, wherever in the file they are."""
    roots = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            roots |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            roots.add(node.module.partition(".")[0])
    return roots


def where(path: Path, node: ast.AST, what: str) -> str:
    return f"{name(path)}:{getattr(node, 'lineno', 0)} {what}"


# --- the rooms ------------------------------------------------------------------------------------


def test_the_symlink_leads_to_the_estimators():
    link = ROOT / "ebm" / "sklearn_compat"
    assert link.is_symlink()
    assert link.readlink() == Path("../sklearn_compat")


def test_tests_do_not_import_tests():
    # Models, checks and calls that several of them need stand in modules of their own.
    found = [
        where(path, node, "import")
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ImportFrom | ast.Import)
        for module in [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
        if module.startswith("test_") or ".test_" in module
    ]
    assert not found, found


def test_no_conftest_at_the_root():
    # It would be imported under another name than tests/conftest.py, and after the doctests.
    assert not (ROOT / "conftest.py").exists()


def test_imports_run_one_way():
    linter = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as run; run()",
    ]
    done = subprocess.run(linter, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_core_does_not_know_scikit_learn():
    guests = {
        p for p in CORE if "sklearn" in imported_roots(parse(p)) and "displays" not in p.parts
    }
    assert not guests, sorted(map(name, guests))


def test_estimators_import_absolutely():
    # A relative import would work under the wrong name too, and load every module twice.
    relative = [
        where(path, node, "relative import")
        for path in ESTIMATORS
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ImportFrom) and node.level > 0
    ]
    assert not relative, relative


# --- an estimator validates, delegates, stores --------------------------------------------------------

ARITHMETIC = {"exp", "log", "dot", "einsum", "matmul"}


def arithmetic_in(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.MatMult):
            yield node, "@"
        elif isinstance(node, ast.Attribute) and node.attr in ARITHMETIC:
            yield node, f".{node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module in {"numpy", "scipy.special"}:
            yield from ((node, alias.name) for alias in node.names if alias.name in ARITHMETIC)


def test_no_arithmetic_in_the_estimators():
    found = [
        where(path, node, what) for path in ESTIMATORS for node, what in arithmetic_in(parse(path))
    ]
    assert not found, found


@pytest.mark.parametrize(
    "source", ["a @ b", "a @= b", "np.exp(a)", "a.dot(b)", "from numpy import einsum"]
)
def test_arithmetic_is_recognised(source):
    assert len(list(arithmetic_in(ast.parse(source)))) == 1


# --- estimators own objects -------------------------------------------------------------------------

EVERY_ESTIMATOR = [getattr(ebm, public) for public in ebm.sklearn_compat.__all__]
MAX_OURS = (
    3  # classes of ours that an estimator is made of: the root, the base of its family, itself
)
# Estimators that are made of more: how many they have, to come down to the three.
TOWERS: dict[str, int] = {}
# Families in which one object still reads the private attributes of another.
REACHING: set[str] = set()
# Private by name only: of named tuples, and of scikit-learn for whoever derives an estimator.
SHARED_PRIVATES = {"_asdict", "_fields", "_getframe", "_replace", "_validate_params"}
SHARED_PRIVATES |= {"_get_param_names", "_parameter_constraints", "_resolvers"}


def classes_of_ours(estimator: type) -> list[type]:
    return [c for c in estimator.__mro__ if c.__module__.startswith("ebm.")]


def is_abstract(member: object) -> bool:
    """Whether it does nothing but raise NotImplementedError."""
    function = ast.parse(textwrap.dedent(inspect.getsource(member))).body[0]
    statement = function.body[-1]
    return isinstance(statement, ast.Raise) and "NotImplementedError" in ast.unparse(statement)


def concrete_methods(cls: type) -> set[str]:
    """Methods and properties that the class itself defines; special methods call those that they extend."""
    found = set()
    for attribute, member in vars(cls).items():
        member = getattr(member, "__func__", getattr(member, "fget", getattr(member, "fn", member)))
        if inspect.isfunction(member) and not (attribute.startswith("__") or is_abstract(member)):
            found.add(attribute)
    return found


@pytest.mark.parametrize("estimator", EVERY_ESTIMATOR)
def test_an_estimator_is_no_tower(estimator):
    count, allowed = len(classes_of_ours(estimator)), TOWERS.get(estimator.__name__, MAX_OURS)
    assert count <= allowed
    assert count == allowed or estimator.__name__ not in TOWERS, "lower its number in TOWERS"


@pytest.mark.parametrize("estimator", [e for e in EVERY_ESTIMATOR if e.__name__ not in TOWERS])
def test_no_concrete_method_is_overridden(estimator):
    defined = [concrete_methods(cls) for cls in classes_of_ours(estimator)]
    assert sum(map(len, defined)) == len(set().union(*defined))


def instances_made(function: Function) -> set[str]:
    """Names in a class method of the instances that it makes."""
    return {
        ast.unparse(node.targets[0])
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("cls(")
    }


def reached_into(node: ast.AST, own: frozenset[str] = frozenset({"self", "cls", "super()"})):
    """Private attributes of objects other than those that the code belongs to."""
    if isinstance(node, Function):
        own |= instances_made(node)
    private = isinstance(node, ast.Attribute) and re.match("_[^_]", node.attr)
    if private and not (node.attr in SHARED_PRIVATES or ast.unparse(node.value) in own):
        yield node, ast.unparse(node)
    for child in ast.iter_child_nodes(node):
        yield from reached_into(child, own)


def test_no_estimator_reaches_into_another():
    found = [
        where(path, node, what)
        for path in ESTIMATORS
        if path.parent.name not in REACHING
        for node, what in reached_into(parse(path))
    ]
    assert not found, found


@pytest.mark.parametrize(
    "source", ["rbm._params()", "self.rbms_[0]._model", "def f(x): x._seed = 1"]
)
def test_reaching_is_recognised(source):
    assert len(list(reached_into(ast.parse(source)))) == 1


# --- models are asked, not told apart ------------------------------------------------------------------

MODELS = {
    "BeliefNetwork",
    "Bipartite",
    "LabelMemory",
    "LayeredModel",
    "Model",
    "Network",
    "Pairwise",
}


def untyped_models_in(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign):
            named = node.arg if isinstance(node, ast.arg) else ast.unparse(node.target)
            note = node.annotation
            if named == "model" and note is not None and ast.unparse(note) in ("Any", "object"):
                yield node, f"{named}: {ast.unparse(note)}"


def told_apart_in(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Tests for the class of a model: a method, a registration or `supports` says what differs."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass"):
            named = {x.id for x in ast.walk(node.args[1]) if isinstance(x, ast.Name)}
            if named & MODELS:
                yield node, ast.unparse(node)


@pytest.mark.parametrize("found_in", [untyped_models_in, told_apart_in])
def test_the_core_knows_models_by_their_contract(found_in):
    found = [where(path, node, what) for path in CORE for node, what in found_in(parse(path))]
    assert not found, found


def test_estimators_say_which_models_they_take():
    found = [
        where(path, node, what)
        for path in ESTIMATORS
        for node, what in untyped_models_in(parse(path))
    ]
    assert not found, found


# Rooms that ask a model for all that they need: no class of models is told from another, special ones included.
ASKING = ("training.py", "_state.py", "gradients/", "likelihood/")


def test_the_rooms_of_learning_tell_no_models_apart():
    special = {"ColumnModel", "DeepModel", "TreeModel"}
    asking = [p for p in CORE if name(p).removeprefix("ebm/").startswith(ASKING)]
    assert len(asking) > 40
    found = [
        where(path, node, ast.unparse(node))
        for path in asking
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("isinstance", "issubclass")
        and {x.id for x in ast.walk(node.args[1]) if isinstance(x, ast.Name)} & (MODELS | special)
    ]
    assert not found, found


@pytest.mark.parametrize(
    ("found_in", "source"),
    [
        (untyped_models_in, "def f(model: Any): pass"),
        (untyped_models_in, "class C:\n    model: object"),
        (told_apart_in, "isinstance(x, Bipartite)"),
        (told_apart_in, "isinstance(x, Network | Pairwise)"),
        (told_apart_in, "issubclass(x, (Dense, LabelMemory))"),
    ],
)
def test_a_model_told_apart_is_recognised(found_in, source):
    assert len(list(found_in(ast.parse(source)))) == 1


# --- one spelling of the compiler ---------------------------------------------------------------------

COMPILERS = {"cfunc", "generated_jit", "guvectorize", "jit", "jit_module", "njit", "stencil"}
COMPILERS |= {"vectorize", "jitclass"}


def compilers_in(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "numba":
            yield from ((node, alias.name) for alias in node.names if alias.name in COMPILERS)
        elif isinstance(node, ast.Attribute) and node.attr in COMPILERS:
            if isinstance(node.value, ast.Name) and node.value.id in {"numba", "nb"}:
                yield node, f"numba.{node.attr}"
        elif isinstance(node, ast.keyword) and node.arg == "parallel":
            yield node.value, "parallel="


def test_only_one_file_spells_the_compiler():
    found = [
        where(path, node, what)
        for path in SOURCES
        if name(path) != "ebm/_jit.py"
        for node, what in compilers_in(parse(path))
    ]
    assert not found, found


@pytest.mark.parametrize(
    "source", ["from numba import njit", "numba.jit(f)", "nb.vectorize(f)", "jit(parallel=True)"]
)
def test_compiler_is_recognised(source):
    assert len(list(compilers_in(ast.parse(source)))) == 1


# --- sizes ----------------------------------------------------------------------------------------


NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def docstring_lines(tree: ast.Module) -> set[int]:
    documented = (ast.Module, ast.ClassDef, *get_args(Function))
    found = [
        node.body[0]
        for node in ast.walk(tree)
        if isinstance(node, documented) and ast.get_docstring(node) is not None
    ]
    return {line for x in found for line in range(x.lineno, (x.end_lineno or 0) + 1)}


def code_lines(source: str) -> int:
    """Lines that hold code: neither blank, nor only a comment, nor part of a docstring."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {
        line
        for token in tokens
        if token.type not in NO_CODE
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(lines - docstring_lines(ast.parse(source)))


def test_lines_of_code_are_counted():
    source = '"""Doc\n\ntext."""\n\n# why\ndef f(x):\n    """Doc."""\n    return (\n        x\n    )  # so\n'
    assert code_lines(source) == 4


def test_files_are_short():
    lengths = {name(path): code_lines(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert not {path: n for path, n in lengths.items() if n > MAX_CODE_LINES}


def body_lines(function: Function) -> int:
    """Lines from the first statement after the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def arguments(function: Function) -> list[str]:
    spec = function.args
    names = [arg.arg for arg in spec.posonlyargs + spec.args + spec.kwonlyargs]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def test_function_bodies_are_short():
    found = [
        where(path, f, f"{f.name}: {body_lines(f)} lines")
        for path in SOURCES
        for f in functions(parse(path))
        if body_lines(f) > MAX_BODY_LINES
    ]
    assert not found, found


def test_functions_have_few_arguments():
    # Constructors are free: an estimator has as many parameters as its users need.
    found = [
        where(path, f, f"{f.name}: {len(arguments(f))} arguments")
        for path in SOURCES
        for f in functions(parse(path))
        if f.name != "__init__" and len(arguments(f)) > MAX_ARGUMENTS
    ]
    assert not found, found


# --- docstrings -----------------------------------------------------------------------------------


def public_definitions(body: list[ast.stmt]) -> Iterator[Function | ast.ClassDef]:
    """The public functions and classes of a module, and the public methods of those classes."""
    for node in body:
        if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        if any(ast.unparse(d).endswith(("overload", ".setter")) for d in node.decorator_list):
            continue
        yield node
        if isinstance(node, ast.ClassDef):
            yield from public_definitions(node.body)


def test_everything_public_has_a_summary_line():
    silent = []
    for path in SOURCES:
        tree = parse(path)
        for node in [tree, *public_definitions(tree.body)]:
            if not (ast.get_docstring(node) or "").partition("\n")[0].strip():
                silent.append(where(path, node, getattr(node, "name", "module")))
    assert not silent, silent


# Left out: taste (GL01, SS05, SS06, PR06, RT02), what scikit-learn's own docstrings do not hold to
# (PR08, PR09, RT04, RT05, SA04), and the sections that not everything needs (ES01, SA01, EX01).
NUMPYDOC_ERRORS = re.compile("GL0[356789]|GL10|SS0[1234]|PR0[123457]|PR10|RT0[13]|YD01|SA0[23]")


def exported() -> Iterator[str]:
    """Dotted names of what ebm exports, and of the methods of estimators and displays.

    The methods of units, gradients and optimisers are roles, documented in full where they are abstract.
    """
    for public in ebm.__all__:
        thing = getattr(ebm, public)
        if not callable(thing):
            continue
        home = f"{thing.__module__}.{thing.__qualname__}"
        yield home
        if thing.__module__.split(".")[1] not in ("sklearn_compat", "displays"):
            continue
        for attribute, member in inspect.getmembers(thing) if inspect.isclass(thing) else ():
            member = getattr(member, "__func__", member)
            own = inspect.isfunction(member) and member.__module__.split(".")[0] == "ebm"
            if own and not attribute.startswith("_"):
                yield f"{home}.{attribute}"


@pytest.mark.parametrize("target", sorted(exported()))
def test_docstrings_are_numpydoc(target):
    errors = numpydoc.validate.validate(target)["errors"]
    wrong = [f"{code} {text}" for code, text in errors if NUMPYDOC_ERRORS.fullmatch(code)]
    assert not wrong, "\n".join(wrong)
