"""Array functions: series and their gaps, spectral indices, temporal metrics."""
