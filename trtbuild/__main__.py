"""``python -m trtbuild``: the same entry as the console script."""

from trtbuild.cli.main import main

if __name__ == "__main__":
    main()
