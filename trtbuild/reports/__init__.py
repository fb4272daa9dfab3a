"""Collects artifacts into the data of each page.  Pure; pages are made from report.json alone."""
