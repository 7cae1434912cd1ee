"""Parts of `benchmarks/run.py`: real processes of the installed package on loopback, measured beside their floors."""
