"""The document of a run -> JUnit's XML: a test suite for each version, expected failures as skipped."""

from __future__ import annotations

from xml.etree import ElementTree

from trtbuild.suite.document import ResultDocument, SuiteDocument, said_of


def to_xml(document: SuiteDocument) -> bytes:
    top = ElementTree.Element("testsuites", name="trtbuild suite")
    for version in (entry["name"] for entry in document["versions"]):
        results = [(entry, entry["results"][version]) for entry in document["cases"]]
        skipped = sum(not r["failed"] and r["outcome"] == "expected failure" for _, r in results)
        suite = ElementTree.SubElement(
            top, "testsuite", name=version, tests=str(len(results)), errors="0", skipped=str(skipped),
            failures=str(sum(r["failed"] for _, r in results)),
        )  # fmt: skip
        for entry, result in results:
            test = ElementTree.SubElement(
                suite, "testcase", classname=f"{version}.{entry['category']}", name=entry["id"]
            )
            if result["failed"]:
                told = ElementTree.SubElement(test, "failure", type=result["outcome"], message=result["news"])
                told.text = stage_lines(result)
            elif result["outcome"] == "expected failure":
                ElementTree.SubElement(test, "skipped", message=f"expected failure: {stage_lines(result)}")
    ElementTree.indent(top)
    content: bytes = ElementTree.tostring(top, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def stage_lines(result: ResultDocument) -> str:
    """What went wrong, a stage a line."""
    text = "\n".join(": ".join(filter(None, (name, result, says))) for name, result, says in said_of(result))
    return "".join(c if c >= " " or c in "\n\t" else "?" for c in text)  # XML has no other control characters
