"""The same commit gives the same answer: examples follow from the test itself. `make hunt` seeks new ones."""

from hypothesis import settings

settings.register_profile("sightline", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("sightline")
