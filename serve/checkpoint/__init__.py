"""Checkpoints that come with Duet: embedded tiny ones that read, and twins with the shape of a true model and no weights.

Importing this package or `embedded` or `twin` loads neither torch nor tokenizers; both come with the engine's packages.
"""
