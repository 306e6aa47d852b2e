"""Replay of an NDJSON event log: read, sent to an exporter in numbered batches, or written as blocks of Prometheus."""
