"""`python -m modelsync`: the same program as the `modelsync` command."""

from modelsync.cli import main

if __name__ == "__main__":
    main.main()
