"""``python -m nnplug`` is ``nnplug``."""

from nnplug.cli import main

if __name__ == "__main__":
    main()
