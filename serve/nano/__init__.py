"""The recipe of the embedded models: tiny Qwen3-VL checkpoints, trained on drawn pictures until they really read.

Importing this package loads nothing heavy; training, evaluation and export bring torch.
"""
