"""What a Prometheus that somebody already runs needs of this checkout: printed, and compared with what it says."""
