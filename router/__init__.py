"""One OpenAI-compatible endpoint in front of two pools of vLLM engines."""
