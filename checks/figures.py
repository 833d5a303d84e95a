"""Figures of the tree: lines by folder, long functions, loose types, copied lines, imports that run upwards.

``python -m checks.figures [FOLDER]`` measures this tree, or another checkout.
"""

import ast
import re
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LONG = 60  # lines, from which on a function is listed
RUN = 6  # lines that count as copied
LOOSE = re.compile(r"\b[Dd]ict\[str, (typing\.)?Any\]")
PRIVATE = re.compile(r"""(?:setattr|patch(?:\.object)?)\([^)]*["'](?:[\w.]*\.)?_[a-z]\w*["']""")


@dataclass(frozen=True)
class Module:
    """A Python file of the tree."""

    path: Path  # from the tree's root
    text: str

    @property
    def package(self) -> str:
        """The top folder."""
        return self.path.parts[0]

    def functions(self) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        """Every function and method, nested ones too, with its dotted name."""

        def walk(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
            for node in body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{prefix}{node.name}", node
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    yield from walk(node.body, f"{prefix}{node.name}.")

        yield from walk(ast.parse(self.text).body, "")

    def imports(self) -> Iterator[str]:
        """Top packages that it imports, once per statement, those inside functions included."""
        for node in ast.walk(ast.parse(self.text)):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


def read_layers(root: Path) -> list[set[str]]:
    """The packages from the roof down, as pyproject.toml gives them to import-linter; they are the tree's Python."""
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each["type"] == "layers" and "containers" not in each)
    return [set(re.split(r"\s*[|:]\s*", layer)) for layer in layers]


def modules(root: Path, packages: list[str]) -> list[Module]:
    """The Python files below ``packages``."""
    paths = sorted(path for package in packages for path in (root / package).rglob("*.py"))
    return [Module(path.relative_to(root), path.read_text()) for path in paths]


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function, docstring included, decorators not."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def loose(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the signature says no more than ``dict[str, Any]`` somewhere."""
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    annotations = [each.annotation for each in every if each is not None and each.annotation] + [node.returns]
    return any(LOOSE.search(ast.unparse(annotation)) for annotation in annotations if annotation)


def copied(texts: list[str]) -> int:
    """Runs of six lines that stand at another place already; imports, blank and comment lines left out."""
    seen: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        lines = [line.strip() for line in text.splitlines()]
        code = [line for line in lines if line and not re.match(r"#|--|import |from \S+ import ", line)]
        seen.update(tuple(code[at : at + RUN]) for at in range(len(code) - RUN + 1))
    return sum(count - 1 for count in seen.values())


def upward(files: list[Module], layers: list[set[str]]) -> list[str]:
    """Imports of a package by one that stands beside or below it."""
    rank = {package: height for height, layer in enumerate(reversed(layers)) for package in layer}
    return [
        f"{file.path} imports {name}"
        for file in files
        for name in file.imports()
        if name in rank and name != file.package and rank[name] >= rank[file.package]
    ]


def main() -> None:
    """Print the figures."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    layers = read_layers(root)
    files = modules(root, [package for layer in layers for package in sorted(layer)])
    tests = modules(root, ["tests"])

    print("lines by folder")
    lines: dict[str, int] = defaultdict(int)
    for file in [*files, *tests]:
        parts = file.path.parts
        lines[parts[0]] += file.text.count("\n")
        if len(parts) > 2 and parts[0] != "tests":
            lines["/".join(parts[:2])] += file.text.count("\n")
    for folder in sorted(lines):
        print(f"  {'  ' * folder.count('/') + folder.rpartition('/')[2]:<28}{lines[folder]:>7,}")

    functions = [(file, name, node) for file in files for name, node in file.functions()]
    long = sorted(((length(node), f"{file.path}: {name}") for file, name, node in functions), reverse=True)
    over = [each for each in long if each[0] > LONG]
    print(f"functions over {LONG} lines: {len(over)}; the longest")
    for count, name in (over + long[len(over) : len(over) + 5])[:25]:
        print(f"  {count:>4}  {name}")

    public = [
        f"{file.path}: {name}"
        for file, name, node in functions
        if loose(node) and not any(part.startswith("_") for part in name.split("."))
    ]
    print(f"public signatures with dict[str, Any]: {len(public)}")
    for name in public:
        print(f"  {name}")

    risen = upward(files, layers)
    print(f"imports that run upwards: {len(risen)}")
    for line in risen:
        print(f"  {line}")
    patched = [f"{file.path}: {match.group()}" for file in tests for match in PRIVATE.finditer(file.text)]
    print(f"private names that tests patch: {len(patched)}")
    for line in patched:
        print(f"  {line}")
    print(f"runs of {RUN} lines that stand elsewhere already")
    dbt = [path.read_text() for kind in ("*.sql", "*.yml") for path in (root / "dbt_project" / "models").rglob(kind)]
    for folder, texts in (
        ("packages", [file.text for file in files]),
        ("tests", [file.text for file in tests]),
        ("dbt models", dbt),
    ):
        print(f"  {folder:<28}{copied(texts):>7,}")


if __name__ == "__main__":
    main()
