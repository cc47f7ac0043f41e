"""`duet doctor`: what is wrong with this machine or in this configuration, and what an engine died of."""
