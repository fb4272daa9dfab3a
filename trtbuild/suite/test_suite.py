"""The suite as tests: ``pytest --pyargs trtbuild.suite [-k …]``, one for each case and version.

Results come from the same records and pooled processes as the verb's; only the chosen tests' cases are run.
"""

from __future__ import annotations

import pytest

from trtbuild.base.packaged import packaged_conf
from trtbuild.base.workspace import workspace_here
from trtbuild.config import named
from trtbuild.suite import document, proposal
from trtbuild.suite.collection import collect
from trtbuild.suite.document import ResultDocument
from trtbuild.suite.identity import machine_class
from trtbuild.suite.junit import stage_lines
from trtbuild.suite.results import examine

WORKSPACE = workspace_here()
ROOT = WORKSPACE.root if WORKSPACE else None
CASES = collect(ROOT)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    words = metafunc.config.getoption("tensorrt", None)
    asked = named.toolchains(ROOT or packaged_conf().parent, words.split(",") if words else None)
    points = [(case, version) for version in asked for case in CASES]
    metafunc.parametrize(("case", "version"), points, ids=[f"{version}-{case}" for case, version in points])


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> dict[tuple[str, str], ResultDocument]:
    """What came of every chosen test, by case and version."""
    points = (getattr(item, "callspec", None) for item in request.session.items)
    chosen = [point.params for point in points if point is not None and {"case", "version"} <= set(point.params)]
    cases = [CASES[name] for name in dict.fromkeys(point["case"] for point in chosen)]
    names = list(dict.fromkeys(point["version"] for point in chosen))
    asked = named.toolchains(ROOT or packaged_conf().parent, names)
    results = examine(cases, asked, ROOT, named.target(ROOT or packaged_conf().parent, None)[1])
    machine = machine_class()
    expectations = {name: proposal.expectations(name, ROOT, machine) for name in asked}
    made = document.make(cases, asked, results, expectations, machine)
    return {(e["id"], version): result for e in made["cases"] for version, result in e["results"].items()}


def test_case(case: str, version: str, report: dict[tuple[str, str], ResultDocument]) -> None:
    """Fails when what came of the case is not what was expected; an expected failure is an xfail."""
    result = report[case, version]
    if result["failed"]:
        pytest.fail(f"{result['outcome']}: {result['news']}\n{stage_lines(result)}", pytrace=False)
    if result["outcome"] == "expected failure":
        pytest.xfail(stage_lines(result))
