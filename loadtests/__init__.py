"""A bounded load of pictures against a running Duet: what to ask, how the stream is timed, and the locust run."""
