"""What an engine needs of a GPU's memory: the model's card, the tokens of pictures and videos, and GPUs by name."""
