"""The steps of the intake recipe: who posts, which version, what is kept of a refusal."""
