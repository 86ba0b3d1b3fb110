"""constraints.txt holds the versions that were tested together; `python -m tests.test_constraints` writes it again."""

import importlib.metadata
import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

REPO = Path(__file__).parents[1]
PATH = REPO / "constraints.txt"
HEADER = """\
# Versions that were tested together on Python {python}: this project with the extra `test`, and all that they need.
# Install with them: pip install -e . -c constraints.txt
# Write again what is installed: python -m tests.test_constraints
"""


def direct_requirements():
    """Return what pyproject.toml asks for, with the extra `test`."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    return [Requirement(text) for text in [*project["dependencies"], *project["optional-dependencies"]["test"]]]


def closure(version_of=importlib.metadata.version):
    """Return the installed version of each package that the project needs, directly or not, by its name.

    Args:
        version_of: by the name of a package; raises PackageNotFoundError.
    """
    found, seen = {}, set()
    waiting = [(requirement, "") for requirement in direct_requirements()]
    while waiting:
        requirement, parent_extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": parent_extra}):
            continue
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            found[name] = version_of(name).partition("+")[0]  # a build such as +cpu is a choice of the machine
            needed = importlib.metadata.requires(name) or []
            waiting += [(Requirement(text), extra) for text in needed]
    return found


def faults(pins, requirements, needed):
    """Return what is wrong with the pins, one sentence each.

    Args:
        pins: version by name.
        requirements: of pyproject.toml.
        needed: names of all packages that are needed.
    """
    sentences = [f"{name} is needed and has no line" for name in sorted(set(needed) - set(pins))]
    for requirement in requirements:
        version = pins.get(canonicalize_name(requirement.name))
        if version and not requirement.specifier.contains(version, prereleases=True):
            sentences.append(f"{requirement.name} is {version}, and pyproject.toml asks for {requirement.specifier}")
    return sentences


def read_pins(text):
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", text, re.MULTILINE))


def test_pyproject_and_the_constraints_agree():
    pins = read_pins(PATH.read_text())
    lines = [line for line in PATH.read_text().splitlines() if not line.startswith("#")]
    assert lines == [f"{name}=={version}" for name, version in sorted(pins.items())]
    assert all(Version(version) for version in pins.values())
    # a platform or another Python may need more packages: what is directly asked for is known everywhere
    direct = [r for r in direct_requirements() if not r.marker or r.marker.evaluate()]
    assert faults(pins, direct, {canonicalize_name(r.name) for r in direct}) == []


def test_every_package_that_is_needed_has_a_line():
    pins, (written_on,) = read_pins(PATH.read_text()), re.findall(r"on Python (\S+):", PATH.read_text())
    if written_on != f"{sys.version_info.major}.{sys.version_info.minor}":
        pytest.skip(f"constraints.txt was written on Python {written_on}, which may need other packages")
    installed = closure()
    if others := [name for name, version in installed.items() if pins.get(name, version) != version]:
        pytest.skip(f"other versions are installed, which may need other packages: {', '.join(others)}")
    assert faults(pins, [], installed) == [], "run `python -m tests.test_constraints`"


def test_a_missing_package_and_a_version_out_of_range_are_named():
    found = faults({"torch": "2.5.1"}, [Requirement("torch>=2.6"), Requirement("numpy>=2")], {"torch", "numpy"})
    assert found == ["numpy is needed and has no line", "torch is 2.5.1, and pyproject.toml asks for >=2.6"]


if __name__ == "__main__":
    versions = sorted(closure().items())
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    PATH.write_text(HEADER.format(python=python) + "".join(f"{name}=={version}\n" for name, version in versions))
    print(f"{PATH.name}: {len(versions)} packages")
