"""The paper's experiments, made of skflow's public pieces."""
