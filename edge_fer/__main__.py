"""`python -m edge_fer` is `edge-fer`, for environments whose scripts are not on the PATH."""

from edge_fer.cli.main import main

if __name__ == "__main__":
    main()
