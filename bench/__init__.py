"""Benchmarks against the C++ daemon of pgAgent and pg_cron, on throwaway servers: `make bench`."""
