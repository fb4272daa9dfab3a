"""What everything may use: errors, files, workspace, names; standard library only."""
