"""From written prompts to `router/weights.json`, and how good it is. Needs scikit-learn; nothing that serves imports it."""
