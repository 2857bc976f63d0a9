"""What no single module's test can see: who imports whom, and the habits that hold for every file."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import cadenza

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
PACKAGE = SRC / "cadenza"

# A module imports only from strictly lower ranks; inside a folder, freely but without cycles.
# docs/design.md shows the same table.
RANKS = {
    "errors": 0,
    "files": 0,
    "interrupts": 0,
    "score": 0,
    "soundfont": 0,
    "download": 1,
    "midi": 1,
    "audio": 1,
    "plot": 1,
    "representation": 1,
    "metre": 1,
    "statistics": 1,
    "expression": 1,
    "hands": 1,
    "harmony": 1,
    "corpus": 2,
    "measures": 2,
    "notation": 2,
    "sequence": 2,
    "architecture": 2,
    "augmentation": 2,
    "sizes": 2,
    "steering": 2,
    "streams": 2,
    "dataset": 3,
    "inspection": 3,
    "models": 3,
    "engine": 3,
    "checkpoint": 4,
    "originality": 4,
    "plans": 4,
    "recipe": 4,
    "segments": 4,
    "windows": 4,
    "batches": 5,
    "counting": 5,
    "parts": 5,
    "players": 5,
    "rehearsal": 5,
    "train": 6,
    "drafts": 6,
    "likelihood": 6,
    "comparison": 6,
    "compose": 7,
    "listening": 7,
    "evaluation": 8,
    "server": 8,
    "cli": 9,
    "__init__": 10,
    "__main__": 10,
}

WELCOME = {"frechet_music_distance"}
"""Packages that no extra brings: used where they are, for their weights have to be fetched besides."""

TORCH_MODULES = {
    "batches",
    "models.base",
    "models.biaxial",
    "models.composer",
    "models.event_lstm",
    "models.note_lstm",
    "models.rnn_nade",
    "models.roll_lstm",
    "models.recall",
    "models.rolls",
    "models.seq2seq_gru",
    "models.seq2seq_tokens",
    "models.sigmoid_lstm",
    "models.token_lstm",
    "models.tokens",
    "train",
}
"""The only modules that may import torch when they are imported themselves."""

LISTEN_MODULES = {
    "listening.database",
    "listening.running",
    "listening.store",
    "server.listening",
}
"""The only modules that may import SQLAlchemy when they are imported themselves."""

VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}


def module_name(path: Path) -> str:
    """`models.composer` for .../cadenza/models/composer.py, `models` for its folder's __init__."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}
IS_FOLDER = {name for name, path in FILES.items() if path.name == "__init__.py"}


def imports(tree: ast.AST) -> Iterator[tuple[int, str, str | None]]:
    """Every import in a tree, as (dots before the name, dotted module, name taken from it or None)."""
    for node in ast.walk(tree):
        yield from imports_of(node)


def imports_of(node: ast.AST) -> Iterator[tuple[int, str, str | None]]:
    """The imports that one node stands for, `import_module("a.b")` included."""
    match node:
        case ast.Import(names=names):
            yield from ((0, alias.name, None) for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            yield from ((level, module or "", alias.name) for alias in names)
        case ast.Call(
            func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(name)), *_],
        ):
            yield 0, name, None
        case _:
            pass


def imports_at_start(node: ast.AST) -> Iterator[tuple[int, str, str | None]]:
    """The imports that run when the module is imported: not those in functions, nor for type checkers."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            return
        case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
            children: list[ast.stmt] = node.orelse
        case _:
            yield from imports_of(node)
            children = list(ast.iter_child_nodes(node))  # type: ignore[assignment]
    for child in children:
        yield from imports_at_start(child)


def own_imports(name: str, tree: ast.AST) -> set[str]:
    """The package's own modules that a module imports anywhere, named as in `FILES`."""
    found: set[str] = set()
    for level, module, taken in imports(tree):
        if level:
            folder = ["cadenza", *name.split(".")] if name != "__init__" else ["cadenza", ""]
            folder = folder[: len(folder) - level + (name in IS_FOLDER and name != "__init__")]
            dotted = ".".join([*folder, *([module] if module else [])])
        else:
            dotted = module
        if top_of(dotted) != "cadenza" or (dotted == "cadenza" and taken == "__version__"):
            continue
        inner = dotted.removeprefix("cadenza").removeprefix(".")
        deeper = f"{inner}.{taken}".removeprefix(".")
        found.add(deeper if deeper in FILES else inner or "__init__")
    return found


def top_of(name: str) -> str:
    """The folder of a module, or the module itself outside of folders."""
    return name.partition(".")[0]


def rank(name: str) -> int:
    """The rank of a module: that of its folder, or its own."""
    top = top_of(name)
    assert top in RANKS, f"{name} has no rank: give it one in tests/test_architecture.py and docs/design.md"
    return RANKS[top]


def forbidden(name: str, imported: str) -> bool:
    """Whether the arrow from one module to another is against the order."""
    top = top_of(name)
    same_folder = top == top_of(imported) and top in IS_FOLDER and top != "__init__"
    # The users' error and what keeps Ctrl-C waiting lie below everything.
    return not same_folder and imported not in {"errors", "interrupts"} and rank(imported) >= rank(name)


def requirements(extra: str | None = None) -> set[str]:
    """Import names of the packages that pyproject.toml asks for, those of an extra or of the base install."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    names = {re.split(r"[^\w-]", line)[0].replace("-", "_") for line in wanted}
    return {"sqlalchemy" if name == "SQLAlchemy" else name for name in names}


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter that finds this source tree first."""
    start = f"import sys; sys.path.insert(0, {str(SRC)!r})\n"
    return subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("source", "imported"),
    [
        ("import numpy, cadenzas", set()),
        ("import cadenza.midi as m", {"midi"}),
        ("import cadenza.models.base", {"models.base"}),
        ("from cadenza import score", {"score"}),
        ("from cadenza.score import Score", {"score"}),
        ("from cadenza.models import base", {"models.base"}),
        ("from cadenza.models import MODELS", {"models"}),
        ("from .base import SequenceModel", {"models.base"}),
        ("from . import base", {"models.base"}),
        ("from . import MODELS", {"models"}),
        ("from .. import score", {"score"}),
        ("from ..score import Score", {"score"}),
        ("def f():\n    if f:\n        from cadenza.cli import main", {"cli"}),
        ("if TYPE_CHECKING:\n    import cadenza.cli", {"cli"}),
        ("cli = importlib.import_module('cadenza.cli')", {"cli"}),
        ("from cadenza import __version__", set()),
        ("from cadenza import generate", {"__init__"}),
        ("import cadenza", {"__init__"}),
    ],
)
def test_every_form_of_import_is_seen(
    source: str, imported: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("score", "midi", "cli", "models", "models.base"):
        monkeypatch.setitem(FILES, name, PACKAGE)
    assert own_imports("models.composer", ast.parse(source)) == imported


def test_a_folder_resolves_its_own_dots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FILES, "models.base", PACKAGE)
    monkeypatch.setattr(sys.modules[__name__], "IS_FOLDER", {"models", "__init__"})
    assert own_imports("models", ast.parse("from .base import SequenceModel")) == {"models.base"}
    assert own_imports("__init__", ast.parse("from .score import Score")) == {"score"}


@pytest.mark.parametrize(
    ("name", "imported", "against"),
    [
        ("cli", "score", False),
        ("score", "cli", True),
        ("midi", "audio", True),
        ("midi", "midi", True),
        ("cli", "__init__", True),
        ("models.composer", "models.base", False),
        ("models.composer", "dataset", True),
        ("models.composer", "engine.sampler", True),
        ("__main__", "cli", False),
    ],
)
def test_the_order_of_ranks(name: str, imported: str, against: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "IS_FOLDER", {"__init__", "models", "engine"})
    assert forbidden(name, imported) is against


def test_imports_at_start_are_those_that_run() -> None:
    source = (
        "import a\n"
        "try:\n    import b\nexcept ImportError:\n    pass\n"
        "class C:\n    import c\n    def f(self): import d\n"
        "if TYPE_CHECKING:\n    import e\nelse:\n    import f\n"
    )
    assert [module for _, module, _ in imports_at_start(ast.parse(source))] == ["a", "b", "c", "f"]


@pytest.mark.parametrize("name", FILES)
def test_imports_go_down(name: str) -> None:
    arrows = sorted(own_imports(name, TREES[name]))
    against = [f"{other} ({rank(other)})" for other in arrows if forbidden(name, other)]
    assert not against, f"{name} ({rank(name)}) imports {', '.join(against)}"


def test_imports_have_no_cycle() -> None:
    graph = {name: own_imports(name, tree) for name, tree in TREES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


def test_no_import_hides_in_a_computed_name() -> None:
    calls = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__"))
        if not (node.args and isinstance(node.args[0], ast.Constant))
    }
    assert calls <= {"__init__"}, "imports by computed names cannot be followed"


def test_the_design_shows_the_same_ranks() -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| *(\d+) *\|([^|]*)\|", text, flags=re.MULTILINE)
    shown = {name: int(number) for number, names in rows for name in re.findall(r"\w+", names)}
    assert shown == {name: number for name, number in RANKS.items() if name != "__init__"}


@pytest.mark.parametrize("name", FILES)
def test_third_party_packages_are_declared(name: str) -> None:
    """Importing a module needs only the base install, and torch where it may; using it, perhaps an extra."""
    known = {*sys.stdlib_module_names, "cadenza"}
    at_start = {top_of(module) for level, module, _ in imports_at_start(TREES[name]) if not level}
    ever = {top_of(module) for level, module, _ in imports(TREES[name]) if not level}
    base, train, listen = requirements(), requirements("train"), requirements("listen")
    more = train if name in TORCH_MODULES else listen if name in LISTEN_MODULES else set[str]()
    assert at_start - known <= base | more
    extras = train | listen | requirements("corpora") | requirements("notation")
    assert ever - known <= base | extras | WELCOME


def test_starting_up_loads_nothing_heavy() -> None:
    heavy = ["torch", "matplotlib", "music21", "pretty_midi", "scipy", "verovio", "fastapi", "uvicorn"]
    heavy += ["sqlalchemy", "statsmodels", "pandas"]
    result = python(f"import cadenza, cadenza.cli; print([m for m in {heavy} if m in sys.modules])")
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


@pytest.mark.parametrize(("folder", "most"), [("studio", 5000), ("listening/page", 1000)])
def test_pages_stay_small_and_at_home(folder: str, most: int) -> None:
    kinds = {".js", ".css", ".html", ".svg"}
    pages = [path for path in (PACKAGE / folder).rglob("*") if path.suffix in kinds]
    texts = {path: path.read_text(encoding="utf-8") for path in pages}
    assert 0 < sum(text.count("\n") for text in texts.values()) < most
    for path, text in texts.items():
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), path
        if path.suffix == ".js":
            assert text.startswith("// "), f"{path.name} does not say what it is for"
            assert text.count("\n") < 600, path


def test_every_module_imports_without_the_extras() -> None:
    extras = ("train", "corpora", "notation", "listen", "benchmarks", "dev")
    absent = sorted(set[str]().union(*(requirements(extra) for extra in extras)))
    needing = TORCH_MODULES | LISTEN_MODULES | {"__init__"}
    modules = [f"cadenza.{name}" for name in FILES if name not in needing]
    result = python(
        "from importlib import import_module\n"
        f"sys.modules.update(dict.fromkeys({absent}))\n"
        f"for name in {modules}: import_module(name)\n"
    )
    assert result.returncode == 0, result.stderr


def test_the_front_offers_what_it_names() -> None:
    for name in cadenza.__all__:
        assert getattr(cadenza, name) is not None
    assert dir(cadenza) == sorted(cadenza.__all__)
    with pytest.raises(AttributeError, match="no attribute 'sonata'"):
        _ = cadenza.sonata  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", FILES)
def test_only_the_command_line_prints(name: str) -> None:
    lines = [
        node.lineno
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert name.startswith("cli.") or not lines, f"print in {name}, lines {lines}"


@pytest.mark.parametrize("name", FILES)
def test_what_is_public_has_a_docstring(name: str) -> None:
    tree = TREES[name]
    bare = [] if ast.get_docstring(tree) else ["the module"]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            public = not node.name.startswith("_")
            bare += [node.name] if public and not ast.get_docstring(node) else []
    assert not bare, f"{name}: no docstring: {', '.join(bare)}"


def test_names_say_what_is_inside() -> None:
    vague = [name for name in FILES if VAGUE_NAMES & set(name.split("."))]
    assert not vague


def files_in_tree(block: str) -> set[str]:
    """Paths in a drawing of folders: a name a line, indented under its folder, which ends with a slash."""
    found: set[str] = set()
    folders: list[tuple[int, str]] = []
    for line in block.splitlines():
        plain = line.translate(str.maketrans("│├└─", "    ")).replace("\N{NO-BREAK SPACE}", " ")
        if not plain.strip():
            continue
        name, indent = plain.split()[0], len(plain) - len(plain.lstrip())
        while folders and folders[-1][0] >= indent:
            folders.pop()
        path = (folders[-1][1] if folders else "") + name
        if name.endswith("/"):
            folders.append((indent, path))
        else:
            found.add(path)
    return found


def test_drawings_of_folders_are_read() -> None:
    plain = "src/cadenza/\n  score.py   a piece\n  models/    many\n    base.py\n  cli.py\ntests/\n  a.py\n"
    drawn = (
        "src/\n└── cadenza/\n    ├── score.py  a piece\n    ├── models/\n    │   └── base.py\n    └── cli.py"
    )
    package = {"src/cadenza/score.py", "src/cadenza/models/base.py", "src/cadenza/cli.py"}
    assert files_in_tree(plain) == package | {"tests/a.py"}
    assert files_in_tree(drawn) == package


def test_the_design_names_every_source_file() -> None:
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", design, flags=re.MULTILINE | re.DOTALL)
    listed = set[str]().union(*(files_in_tree(block) for block in blocks if "cadenza/" in block))
    listed = {path for path in listed if path.startswith("src/cadenza/") and path.endswith(".py")}
    present = {path.relative_to(ROOT).as_posix() for path in FILES.values()}
    optional = {path for path in present if path.endswith("/__init__.py")}
    assert sorted(present - listed - optional) == [], "files that the tree in docs/design.md leaves out"
    assert sorted(listed - present) == [], "files in that tree that are not there"


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=lambda path: path.stem)
def test_tests_set_the_environment_they_read(path: Path) -> None:
    """A corpus outside the repository, named by CADENZA_DATA, must not change what the tests do."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if "CADENZA_DATA" in line and path != Path(__file__).resolve():
            assert "monkeypatch" in line or "env" in line, f"{path.name}: {line.strip()}"
