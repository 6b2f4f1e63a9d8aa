"""Overviews of the whole hub: open problems, the landscape, throughput rates, backlog, causes."""
