"""One file for each report: artifacts -> page data.  Pure; pages are made of report.json alone."""
