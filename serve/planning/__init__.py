"""The parts of a plan, each a pure decision: who runs where, what is asked and what is open, who gets which memory, what gives way."""
