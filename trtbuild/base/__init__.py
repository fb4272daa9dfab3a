"""What every folder can use: errors, files, text, the workspace; standard library only."""
