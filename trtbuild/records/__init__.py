"""The parts of DVC's own formats that the store reads and writes: digests, objects, run cache, locks, models.dvc."""
